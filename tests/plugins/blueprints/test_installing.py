"""Install scripts in Python, packed for /bin/sh."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellar.errors import Invalid
from stellar.plugins.blueprints.format import load, parse
from stellar.plugins.blueprints.installing import PYTHON, runnable

BUILTIN = Path(__file__).parents[3] / "plugins" / "blueprints" / "builtin"
SOURCE = """
format = 1
name = "x"
title = "X"
description = "x"
category = "other"
icon = "cube"
[runtimes.process]
[startup]
command = "true"
[stop]
signal = "SIGTERM"
[install]
file = "install.py"
"""


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """As a node runs it."""
    command = ["/bin/sh", "-c", f"(\n{runnable(script)}\n)\n"]
    env = {"PATH": "/usr/bin:/bin", **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_a_shell_script_stays_as_it_is() -> None:
    assert runnable("echo 1\n# python3\n") == "echo 1\n# python3\n"
    assert runnable("") == ""


def test_python_runs_with_what_it_imports() -> None:
    script = f'{PYTHON}\nfrom stellar_install.console import option, say\nsay("got " + option("X"))\n'
    done = run(script, X="$(id) 'a'")
    assert (done.returncode, done.stdout) == (0, "got $(id) 'a'\n")


def test_its_exit_code_is_the_installs() -> None:
    assert run(f"{PYTHON}\nraise SystemExit(7)\n").returncode == 7
    done = run(f'{PYTHON}\nfrom stellar_install import console\nconsole.fail("no way")\n')
    assert (done.returncode, done.stdout) == (1, "[!] no way\n")


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    assert run(f"{PYTHON}\nprint(1)\n", TMPDIR=str(tmp_path)).stdout == "1\n"
    assert not list(tmp_path.iterdir())


def test_modules_of_the_servers_folder_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    script = runnable(f"{PYTHON}\nimport json\nprint(json.dumps(1))\n")
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert done.stdout == b"1\n"


def test_without_python_it_says_what_to_install(tmp_path: Path) -> None:
    done = run(f"{PYTHON}\nprint(1)\n", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "apt-get install python3" in done.stdout


def test_only_what_is_imported_is_packed() -> None:
    small = runnable(f"{PYTHON}\nfrom stellar_install import console\n")
    large = runnable(f"{PYTHON}\nfrom stellar_install import forge\n")
    assert len(small) < 4000 < len(large)
    assert runnable(f"{PYTHON}\nfrom stellar_install import console\n") == small


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("def", "not valid Python in line 2"),
        ("from stellar_install import secrets", "There is no stellar_install.secrets; its modules are apps, "),
        ("import stellar_install.nothing", "There is no stellar_install.nothing"),
        ("from stellar_install.fetch.more import x", None),
        ("x = " + "(" * 5000 + ")" * 5000, "not valid Python"),
    ],
)
def test_what_can_not_be_packed(script: str, message: str | None) -> None:
    if message is None:
        runnable(f"{PYTHON}\n{script}\n")
        return
    with pytest.raises(Invalid, match=message):
        runnable(f"{PYTHON}\n{script}\n")


@given(st.text(alphabet="import stellar_install.from/\\'\"\n\t(){}$`END", max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_script_breaks_out_of_its_packing(text: str) -> None:
    try:
        packed = runnable(f"{PYTHON}\n{text}")
    except Invalid:
        return
    assert text == "" or text not in packed or text in runnable(f"{PYTHON}\n")


def test_a_blueprint_with_a_broken_script_is_refused() -> None:
    with pytest.raises(Invalid) as caught:
        parse(SOURCE.encode(), {"install.py": f"{PYTHON}\nfrom stellar_install import x\n".encode()}.get)
    assert list(caught.value.fields) == ["install.file"]


def test_the_document_keeps_the_script_as_it_was_written() -> None:
    written = f"{PYTHON}\nfrom stellar_install import console\n"
    assert parse(SOURCE.encode(), {"install.py": written.encode()}.get).blueprint.install.script == written


@pytest.mark.parametrize("name", sorted(path.parent.name for path in BUILTIN.glob("*/install.py")))
def test_the_built_in_ones_fit_into_an_argument(name: str) -> None:
    assert len(runnable(load(BUILTIN / name).blueprint.install.script)) < 64 * 1024
