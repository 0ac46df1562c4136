"""Real eggs: each is imported, comes back from both exports as it was, and its commands and values render."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from egg_parts import REAL, real_eggs

from stellar.plugins.blueprints.eggs.convert import convert, load_egg
from stellar.plugins.blueprints.eggs.reading import read_egg
from stellar.plugins.blueprints.eggs.writing import Source, Version, write_egg

BENCH = Path(__file__).parents[3] / "bench" / "eggs.py"


@pytest.mark.parametrize("path", real_eggs())
@pytest.mark.parametrize("version", ["PTDL_v2", "PLCN_v3"])
def test_it_comes_back_as_it_was(path: Path, version: Version) -> None:
    egg = load_egg(path.read_bytes())
    written = write_egg(Source(egg.loaded.blueprint, egg.loaded.icon, egg.table, ""), version)
    again = convert(read_egg(written))
    assert again.loaded.blueprint == egg.loaded.blueprint
    assert again.loaded.icon == egg.loaded.icon
    assert again.report.notes == egg.report.notes
    assert "stellar" not in again.table
    assert write_egg(Source(again.loaded.blueprint, again.loaded.icon, again.table, ""), version) == written


@pytest.mark.parametrize("path", real_eggs())
def test_nothing_is_lost(path: Path) -> None:
    egg = load_egg(path.read_bytes())
    written = read_egg(write_egg(Source(egg.loaded.blueprint, egg.loaded.icon, egg.table, ""), "PLCN_v3"))
    kept = ("name", "author", "description", "uuid", "tags", "features", "docker_images", "file_denylist", "scripts")
    assert {key: written.get(key) for key in kept} == {key: egg.table.get(key) for key in kept}
    assert [entry["env_variable"] for entry in written["variables"]] == [
        entry["env_variable"] for entry in egg.table["variables"]
    ]


@pytest.mark.skipif(not REAL.is_dir(), reason="there are no real eggs in ../shared/eggs")
def test_the_bench_finds_nothing_that_fails(tmp_path: Path) -> None:
    for name in ("eggs--egg-rust-autowipe.json", "minecraft--egg-bungeecord.yaml"):
        (tmp_path / name).write_bytes((REAL / name).read_bytes())
    done = subprocess.run([sys.executable, BENCH, tmp_path], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count('"eggs": 2, "of": 2') == 5


def test_the_bench_gives_reasons(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"meta": {"version": "PTDL_v2"}}')
    (tmp_path / "index.json").write_text("[]")
    done = subprocess.run([sys.executable, BENCH, tmp_path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert "names no container image" in done.stdout
    assert '{"what": "imported", "eggs": 0, "of": 1}' in done.stdout
