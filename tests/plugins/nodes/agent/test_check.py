"""``stellar agent --check``: what works on this machine, without an agent and without a panel."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cli_parts import COMMAND
from product import free_port

from stellar.config import load_config
from stellar.extend.agent import AgentCheck
from stellar.plugins.nodes.agent import check
from stellar.plugins.nodes.agent.identity import Identity, write_identity
from stellar.plugins.nodes.protections import LABELS


def run(data: Path, *options: str) -> tuple[int, dict[str, Any]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STELLAR_")}
    command = [*COMMAND, "agent", "--check", "--json", "--data", str(data), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout)


@contextmanager
def panel(date: str, status: int = 200) -> Iterator[str]:
    """Something that answers as a panel does, at a time of day."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            self.send_header("Date", date or self.date_time_string())
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def named(checks: list[AgentCheck]) -> dict[str, AgentCheck]:
    return {one.area: one for one in checks}


def test_a_machine_that_has_not_joined_is_looked_at_and_left_as_it_was(tmp_path: Path) -> None:
    code, answer = run(tmp_path / "none")
    assert (code, answer["ok"]) == (0, True)
    assert not (tmp_path / "none").exists()
    protections = [one for one in answer["checks"] if one["area"] == "protection"]
    assert {one["name"] for one in protections} >= {f"process: {label}" for label in LABELS.values()}
    assert all(one["ok"] or one["detail"] for one in answer["checks"])
    (joined,) = [one for one in answer["checks"] if one["area"] == "panel"]
    assert not joined["ok"] and "join command" in joined["detail"]


def test_a_panel_that_is_out_of_reach_is_a_failure(tmp_path: Path) -> None:
    code, answer = run(tmp_path, "--panel", f"http://127.0.0.1:{free_port()}")
    assert (code, answer["ok"]) == (1, False)
    (wrong,) = [one for one in answer["checks"] if one["required"] and not one["ok"]]
    assert wrong["area"] == "panel" and "firewall" in wrong["detail"]


def test_the_table_says_the_same(tmp_path: Path) -> None:
    command = [*COMMAND, "agent", "--check", "--data", str(tmp_path), "--panel", "ftp://panel"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "has to begin with http" in done.stdout, done.stderr
    assert done.stdout.startswith("AREA") and "wrong" in done.stdout and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("date", "status", "right"),
    [("", 200, True), ("", 503, True), ("Mon, 01 Jan 2024 00:00:00 GMT", 200, False)],
)
async def test_the_clock_is_compared_with_the_panels(tmp_path: Path, date: str, status: int, right: bool) -> None:
    with panel(date, status) as address:
        write_identity(tmp_path / "agent", Identity(address, "node", "key"))
        checks = await check.find_checks(load_config(tmp_path), [], None)
    found = named(checks)
    assert found["panel"].ok and found["clock"].ok is right
    assert check.passed(checks) is right
    assert right or "timedatectl" in found["clock"].detail


async def test_an_address_that_is_no_panel(tmp_path: Path) -> None:
    with panel("", 404) as address:
        found = named(await check.find_checks(load_config(tmp_path), [], address))
    assert not found["panel"].ok and "404" in found["panel"].detail


async def test_a_disk_without_room_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "LEAST_DISK", 1 << 60)
    checks = await check.find_checks(load_config(tmp_path), [], None)
    assert not check.passed(checks) and "make room" in named(checks)["disk"].detail


async def test_an_identity_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent/identity.json").write_text("{")
    checks = await check.find_checks(load_config(tmp_path), [], None)
    assert not check.passed(checks) and "join the panel again" in named(checks)["panel"].detail
