"""Every script here runs and prints its figures; how good they are depends on the machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("script", "options", "figures"),
    [
        ("start", ["--runs", "1"], ["the first 200", "--help"]),
        ("memory", ["--settle", "0"], ["the web", "the worker", "the agent", "everything", "a keeper"]),
        ("node", ["--servers", "5", "--idle", "1", "--samples", "10"], ["5 servers again", "idle CPU", "lines/s"]),
        ("console", ["--samples", "3"], ["echo, idle", "lines at once", "meanwhile"]),
        pytest.param("api", ["--quick"], ["users/me", "a page of servers", "memory"], marks=needs_wrk),
        pytest.param("session", ["--seconds", "1", "--rounds", "1"], ["bare", "full stack"], marks=needs_wrk),
    ],
)
def test_a_script_prints_its_figures(script: str, options: list[str], figures: list[str], tmp_path: Path) -> None:
    command = [sys.executable, HERE / f"{script}.py", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    for figure in figures:
        assert any(figure in line["what"] for line in printed), done.stdout
    numbers = [value for line in printed for value in line.values() if isinstance(value, float)]
    assert numbers
    assert min(numbers) >= 0
