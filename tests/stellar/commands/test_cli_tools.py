"""What all commands share: suggestions, tables, completion; and the commands about the installation itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_parts import CliPanel

Stellar = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def stellar(tmp_path: Path) -> Stellar:
    """Runs commands on an installation that isn't running."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STELLAR_")}

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "stellar", *arguments],
            env={**kept, "STELLAR_DATA": str(tmp_path / "data"), **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["sever"], "server"),
        (["server", "lst"], "list"),
        (["user", "suspen"], "suspend"),
        (["config", "chek"], "check"),
    ],
)
def test_did_you_mean(stellar: Stellar, typed: list[str], meant: str) -> None:
    done = stellar(*typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"There is no command '{typed[-1]}'" in done.stderr
    assert meant in done.stderr.partition("Did you mean")[2]


def test_every_command_has_help(stellar: Stellar) -> None:
    shown = stellar("--help").stdout
    for name in (
        "user",
        "role",
        "node",
        "location",
        "server",
        "blueprint",
        "settings",
        "audit",
        "config",
        "jobs",
        "migrate",
    ):
        assert f"\n  {name} " in shown
        assert stellar(name, "--help").returncode == 0
    assert "console" in stellar("server", "--help").stdout
    assert "server console" not in shown


def test_migrate_says_what_is_pending(stellar: Stellar) -> None:
    waiting = stellar("migrate", "--check", "--json")
    assert waiting.returncode == 1
    assert "0001_initial" in json.loads(waiting.stdout)["core"]
    assert "0001_initial" in stellar("migrate", "--check").stdout
    refused = stellar("server", "list")
    assert refused.returncode == 1 and "stellar migrate" in refused.stderr
    assert stellar("migrate").returncode == 0
    after = stellar("migrate", "--check", "--json")
    assert (after.returncode, json.loads(after.stdout)) == (0, {})
    assert "There are no such servers." in stellar("server", "list").stderr


def test_config_is_shown_without_secrets(stellar: Stellar, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "config.toml").write_text('[redis]\nurl = "redis://:hush@127.0.0.1:1/0"\n')
    for arguments in (["config"], ["config", "show"]):
        shown = stellar(*arguments)
        assert shown.returncode == 0 and "hush" not in shown.stdout and "[redis]" in shown.stdout
        assert "hush" not in stellar(*arguments, "--json").stdout
    assert json.loads(stellar("config", "show", "--json").stdout)["redis"]["url"].endswith("@127.0.0.1:1/0")


def test_config_check(stellar: Stellar, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert stellar("migrate").returncode == 0
    good = stellar("config", "check", "--json")
    assert good.returncode == 0, good.stdout
    assert {check["name"]: check["ok"] for check in json.loads(good.stdout)} == {
        "configuration": True,
        "database": True,
        "redis": True,
    }
    file = tmp_path / "data" / "config.toml"
    file.write_text('[redis]\nurl = "redis://127.0.0.1:1/0"\n')
    away = stellar("config", "check")
    assert away.returncode == 1 and "Redis does not answer" in away.stdout
    file.write_text("[web]\nprot = 1\n")
    wrong = stellar("config", "check", "--json")
    assert wrong.returncode == 1 and "prot" in json.loads(wrong.stdout)[0]["problem"]
    missing = stellar("config", "check", STELLAR_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert missing.returncode == 1


def test_without_redis_it_is_one_sentence(stellar: Stellar) -> None:
    assert stellar("migrate").returncode == 0
    for arguments in (["jobs", "list"], ["jobs", "retry", "x"]):
        done = stellar(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert "Redis does not answer" in done.stderr and len(done.stderr.splitlines()) == 1
    assert stellar("node", "list").returncode == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(stellar: Stellar, shell: str) -> None:
    done = stellar("completion", shell)
    assert done.returncode == 0 and "_STELLAR_COMPLETE" in done.stdout
    assert stellar("completion", "tcsh").returncode == 2


def test_the_shell_completes_commands_and_names(cli_panel: CliPanel, tmp_path: Path) -> None:
    made = cli_panel.user("complete.me@example.com")
    cli_panel.ok("node", "create", "completed")
    options = ("--blueprint", "generic", "--owner", made["email"])
    server, odd = (cli_panel.json("server", "create", name, *options) for name in ("Full of blanks", "Full of $(it)"))
    script = tmp_path / "stellar.bash"
    script.write_text(_script("bash"))
    (tmp_path / "stellar").write_text(f'#!/bin/sh\nexec {sys.executable} -m stellar "$@"\n')
    (tmp_path / "stellar").chmod(0o755)

    def complete(*words: str) -> list[str]:
        line = " ".join(f"'{word}'" for word in words)
        asked = f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
        asked += f'_stellar_completion stellar "{words[-1]}"; printf "%s\\n" "${{COMPREPLY[@]}}"'
        environment = {**cli_panel.product.environment, "STELLAR_DATA": str(cli_panel.product.data)}
        environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
        done = subprocess.run(["bash", "-c", asked], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    assert complete("stellar", "bluep") == ["blueprint"]
    assert complete("stellar", "server", "cons") == ["console"]
    assert complete("stellar", "user", "suspend", "complete.") == [made["email"]]
    assert complete("stellar", "server", "show", server["short_id"][:7]) == [server["short_id"]]
    assert complete("stellar", "server", "show", "Full") == ["Full\\ of\\ blanks"]
    assert complete("stellar", "server", "show", "Full of b") == ["Full\\ of\\ blanks"]
    for one in (server, odd):
        cli_panel.ok("server", "delete", one["id"], "--yes")
    assert complete("stellar", "node", "drain", "compl") == ["completed"]
    assert complete("stellar", "blueprint", "show", "lua") == ["luanti"]
    assert complete("stellar", "server", "list", "--state", "runn") == ["running"]
    cli_panel.ok("node", "remove", "completed", "--yes")


def test_what_only_the_opened_panel_knows_is_completed(cli_panel: CliPanel, stellar: Stellar) -> None:
    assert cli_panel.completions("user", "role", "ada@example.com", "supp") == ["support"]
    assert cli_panel.completions("user", "list", "--role", "a") == ["admin"]
    assert cli_panel.completions("role", "create", "x", "--action", "nodes.m") == ["nodes.manage"]
    assert cli_panel.completions("settings", "set", "auth.o") == ["auth.open_registration"]
    asked = {"_STELLAR_COMPLETE": "bash_complete", "COMP_WORDS": "stellar role show ''", "COMP_CWORD": "3"}
    nowhere = stellar(**asked)
    assert (nowhere.stdout.strip(), nowhere.stderr) == ("", "")


def _script(shell: str) -> str:
    command = [sys.executable, "-m", "stellar", "completion", shell]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
