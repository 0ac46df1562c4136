"""``stellar blueprint``, as a command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from egg_parts import egg, variable

from stellar.plugins.blueprints.service import BUILTIN


def stellar(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stellar", *arguments]
    return subprocess.run(
        command, env={"STELLAR_DATA": str(data), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory whose database is up to date."""
    done = stellar(tmp_path / "data", "migrate")
    assert done.returncode == 0, done.stderr
    return tmp_path / "data"


def test_migrate_brings_the_built_in_ones(data: Path) -> None:
    listed = stellar(data, "blueprint", "list", "--json")
    assert sorted(row["name"] for row in json.loads(listed.stdout)) == sorted(path.name for path in BUILTIN.iterdir())
    lines = stellar(data, "blueprint", "list").stdout.splitlines()
    assert ["luanti", "sandbox", "built-in"] in [line.split()[:3] for line in lines]


def test_show(data: Path) -> None:
    source = (BUILTIN / "luanti" / "blueprint.toml").read_text()
    assert stellar(data, "blueprint", "show", "luanti").stdout == source
    shown = json.loads(stellar(data, "blueprint", "show", "luanti", "--json").stdout)
    assert shown["source"] == source
    missing = stellar(data, "blueprint", "show", "nope")
    assert missing.returncode == 1
    assert "no such blueprint" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_validate(tmp_path: Path) -> None:
    good = stellar(tmp_path, "blueprint", "validate", str(BUILTIN / "luanti"))
    assert (good.returncode, good.stderr) == (0, "")
    assert "is a valid blueprint: Luanti (luanti)" in good.stdout
    broken = tmp_path / "blueprint.toml"
    broken.write_text((BUILTIN / "generic" / "blueprint.toml").read_text().replace("grace_seconds = 15", "grace = 15"))
    bad = stellar(tmp_path, "blueprint", "validate", str(broken))
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "stop.grace is not known; allowed here: command, signal, grace_seconds" in bad.stderr
    found = json.loads(stellar(tmp_path, "blueprint", "validate", str(broken), "--json").stdout)
    assert found["valid"] is False
    assert list(found["fields"]) == ["stop.grace"]
    nowhere = stellar(tmp_path, "blueprint", "validate", str(tmp_path / "nowhere"))
    assert nowhere.returncode == 1
    assert "can't be read" in nowhere.stderr


@pytest.mark.parametrize("command", [["blueprint", "list"], ["node", "list"], ["user", "list"]])
def test_reading_commands_say_that_there_is_no_panel(tmp_path: Path, command: list[str]) -> None:
    data = tmp_path / "50%20 # of? it"
    missing = stellar(data, *command, "--json")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "There is no panel" in missing.stderr and "Traceback" not in missing.stderr
    assert stellar(data, "migrate").returncode == 0
    first = stellar(data, *command, "--json")
    assert (first.returncode, first.stderr) == (0, "")
    assert isinstance(json.loads(first.stdout), list)
    assert [path.name for path in tmp_path.iterdir()] == [data.name]


def test_an_egg_is_checked_too(tmp_path: Path) -> None:
    path = tmp_path / "egg.json"
    path.write_text(json.dumps(egg(variables=[variable("HOSTNAME")])))
    done = stellar(tmp_path, "blueprint", "validate", str(path))
    assert (done.returncode, "is a valid blueprint: Some Game" in done.stdout) == (0, True)
    assert "variables.HOSTNAME is called SERVER_HOSTNAME" in done.stderr
    path.write_text("{}")
    assert "no known format" in stellar(tmp_path, "blueprint", "validate", str(path)).stderr


def test_a_changed_built_in_one_is_restored(data: Path, tmp_path: Path) -> None:
    source = (BUILTIN / "generic" / "blueprint.toml").read_text()
    again = stellar(data, "blueprint", "restore", "generic", "--yes")
    assert (again.returncode, "is not a changed built-in blueprint" in again.stderr) == (1, True)
    (tmp_path / "blueprint.toml").write_text(source.replace("\ntitle = ", '\ntitle = "Mine" # ', 1))
    assert stellar(data, "blueprint", "import", str(tmp_path / "blueprint.toml"), "--replace").returncode == 0
    assert stellar(data, "blueprint", "show", "generic").stdout != source
    assert "--yes" in stellar(data, "blueprint", "restore", "generic").stderr
    assert stellar(data, "blueprint", "restore", "generic", "--yes").returncode == 0
    assert stellar(data, "blueprint", "show", "generic").stdout == source


def test_delete(data: Path, tmp_path: Path) -> None:
    kept = stellar(data, "blueprint", "delete", "generic", "--yes")
    assert (kept.returncode, "is built in" in kept.stderr) == (1, True)
    source = (BUILTIN / "generic" / "blueprint.toml").read_text()
    (tmp_path / "blueprint.toml").write_text(source.replace('name = "generic"', 'name = "own"', 1))
    imported = stellar(data, "blueprint", "import", str(tmp_path / "blueprint.toml"))
    assert imported.returncode == 0, imported.stderr
    assert "--yes" in stellar(data, "blueprint", "delete", "own").stderr
    assert stellar(data, "blueprint", "delete", "own", "--yes").returncode == 0
    assert "no such blueprint" in stellar(data, "blueprint", "delete", "own", "--yes").stderr
