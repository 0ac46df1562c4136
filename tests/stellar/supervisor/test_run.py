from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from stellar.supervisor.valkey import find_server
from stellar.testing.waiting import wait_until

SCRIPT = Path(__file__).parents[2] / "supervised.py"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Running:
    """``stellar run`` with stand-ins for its own commands and the real Valkey."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.data = data
        self.port = free_port()
        self.log = data / "log"
        variables = {**os.environ, "STELLAR_WEB_PORT": str(self.port), **environment}
        with self.log.open("wb") as log:
            command = [sys.executable, str(SCRIPT), "run", "--data", str(data)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=variables)

    def events(self) -> list[list[str]]:
        path = self.data / "events"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def pids(self, name: str) -> list[int]:
        return [int(pid) for command, event, pid in self.events() if (command, event) == (name, "started")]

    def output(self) -> str:
        return self.log.read_text()

    def wait_ready(self) -> None:
        wait_until(lambda: self.pids("agent") and self.pids("worker") and "is ready" in self.output())

    def wait(self) -> int:
        return self.process.wait(timeout=15)


@contextmanager
def running(data: Path, **environment: str) -> Iterator[Running]:
    instance = Running(data, **environment)
    try:
        yield instance
    finally:
        instance.process.kill()
        instance.process.wait()
        wait_until(lambda: not processes_on(data), what="the end of every process")


def processes_on(data: Path) -> list[str]:
    """The command lines of all processes that were started with this data directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(data) in line:
            found.append(line)
    return found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "d"
    directory.mkdir()
    return directory


def test_order_output_and_a_clean_stop(data: Path) -> None:
    with running(data) as instance:
        instance.wait_ready()
        with redis.Redis(unix_socket_path=str(data / "run" / "valkey.sock")) as client:
            assert client.config_get("appendonly") == {"appendonly": "yes"}
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("port") == {"port": "0"}
            client.set("kept", "1")
        assert (data / "redis").stat().st_mode & 0o777 == 0o700
        instance.process.send_signal(signal.SIGINT)
        assert instance.wait() == 0
        assert not processes_on(data)
        order = [(command, event) for command, event, _ in instance.events()]
        assert order[:2] == [("prepare", "done"), ("web", "started")]
        assert order[-1] == ("web", "stopped")
        assert {*order[2:4]} == {("worker", "started"), ("agent", "started")}
        text = instance.output()
        assert f"ready: http://127.0.0.1:{instance.port}" in text
        assert "http://127.0.0.1/setup?token=once" in text
        assert "web    | hello from web" in text
    with running(data) as again:
        again.wait_ready()
        with redis.Redis(unix_socket_path=str(data / "run" / "valkey.sock")) as client:
            assert client.get("kept") == b"1"


def test_a_child_that_crashes_is_started_again_and_the_others_stay(data: Path) -> None:
    with running(data) as instance:
        instance.wait_ready()
        os.kill(instance.pids("worker")[0], signal.SIGKILL)
        wait_until(lambda: len(instance.pids("worker")) == 2)
        assert "The worker process ended (signal 9); starting it again in 0.5 s." in instance.output()
        os.kill(instance.pids("worker")[1], signal.SIGKILL)
        wait_until(lambda: "starting it again in 1 s." in instance.output())
        assert len(instance.pids("web")) == len(instance.pids("agent")) == 1


def test_valkey_comes_back_with_its_data(data: Path) -> None:
    with running(data) as instance:
        instance.wait_ready()
        client = redis.Redis(unix_socket_path=str(data / "run" / "valkey.sock"))
        client.set("kept", "1")
        pid = client.info("server")["process_id"]
        os.kill(pid, signal.SIGKILL)

        def kept() -> bool:
            try:
                return client.get("kept") == b"1" and client.info("server")["process_id"] != pid
            except redis.ConnectionError:
                return False

        wait_until(kept)
        client.close()


def test_what_ignores_sigterm_is_killed_in_time(data: Path) -> None:
    for name in ("web", "worker", "agent"):
        (data / f"{name}.stubborn").touch()
    with running(data) as instance:
        instance.wait_ready()
        instance.process.terminate()
        assert instance.process.wait(timeout=10) == 0
        assert not processes_on(data)


def test_a_second_ctrl_c_kills_at_once(data: Path) -> None:
    (data / "web.stubborn").touch()
    with running(data) as instance:
        instance.wait_ready()
        instance.process.send_signal(signal.SIGINT)
        wait_until(lambda: ["worker", "stopped"] in [event[:2] for event in instance.events()])
        instance.process.send_signal(signal.SIGINT)
        assert instance.wait() == 0
        assert not processes_on(data)


def test_nothing_outlives_a_killed_supervisor(data: Path) -> None:
    with running(data) as instance:
        instance.wait_ready()
        assert len(processes_on(data)) == 5
        instance.process.kill()
        wait_until(lambda: not processes_on(data))


def test_children_are_in_process_groups_of_their_own(data: Path) -> None:
    with running(data) as instance:
        instance.wait_ready()
        groups = {os.getpgid(instance.pids(name)[0]) for name in ("web", "worker", "agent")}
        assert len(groups) == 3
        assert os.getpgid(instance.process.pid) not in groups


def test_a_second_instance_is_refused_and_named(data: Path) -> None:
    with running(data) as instance:
        instance.wait_ready()
        second = Running(data)
        second.log = data / "log"
        assert second.wait() == 1
        assert f"process {instance.process.pid}" in second.output()
        assert "--data" in second.output() and "Traceback" not in second.output()
        assert instance.process.poll() is None


def test_a_busy_port_is_found_before_anything_starts(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with running(data, STELLAR_WEB_PORT=str(port)) as instance:
            assert instance.wait() == 1
            assert f"Port {port} on 127.0.0.1 is in use" in instance.output()
            assert "--port" in instance.output()
    assert instance.events() == []


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_an_address_that_is_not_ours_is_one_sentence(data: Path, host: str) -> None:
    with running(data, STELLAR_WEB_HOST=host) as instance:
        assert instance.wait() == 1
        assert "--host" in instance.output() and "Traceback" not in instance.output()


@pytest.mark.parametrize("name", ["prepare", "web"])
def test_a_process_that_cannot_start_ends_it_all(data: Path, name: str) -> None:
    (data / f"{name}.broken").touch()
    with running(data) as instance:
        assert instance.wait() == 1
        assert "Traceback" not in instance.output()
        assert not processes_on(data)
        if name == "web":
            assert "web    | cannot start" in instance.output()
            assert "The web process ended while it was starting" in instance.output()


def test_stopping_in_the_middle_of_the_start_is_clean(data: Path) -> None:
    with running(data) as instance:
        wait_until(lambda: ["prepare", "done"] in [event[:2] for event in instance.events()])
        instance.process.terminate()
        assert instance.wait() == 0
        assert not processes_on(data)


def test_a_redis_of_ones_own_needs_no_embedded_one(data: Path, redis_url: str) -> None:
    with running(data, STELLAR_REDIS_URL=redis_url) as instance:
        instance.wait_ready()
        assert len(processes_on(data)) == 4
        assert not (data / "redis").exists()


def test_a_program_that_is_gone_for_a_moment_is_tried_again(data: Path, tmp_path: Path) -> None:
    server, away = tmp_path / "bin" / "valkey-server", tmp_path / "bin" / "away"
    server.parent.mkdir()
    server.symlink_to(find_server())
    with running(data, PATH=f"{server.parent}:{os.environ['PATH']}", STAND_IN_VALKEY="path") as instance:
        instance.wait_ready()
        client = redis.Redis(unix_socket_path=str(data / "run" / "valkey.sock"))
        server.rename(away)
        os.kill(client.info("server")["process_id"], signal.SIGKILL)
        client.close()
        wait_until(lambda: "The valkey process can't be started" in instance.output())
        away.rename(server)
        with redis.Redis(unix_socket_path=str(data / "run" / "valkey.sock")) as client:
            wait_until(lambda: answers(client))
        assert len(instance.pids("web")) == 1


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
