"""When a server runs: its own process listens on a port, in its own network; and what doesn't run in time is ended."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from server_parts import MemoryRun, Node

from stellar.plugins.servers.agent import lifecycle
from stellar.plugins.servers.agent.comeback import Policy
from stellar.plugins.servers.agent.listening import listens
from stellar.plugins.servers.agent.managed import Managed
from stellar.plugins.servers.spec import Port, Ready
from stellar.testing.waiting import wait_for

QUICK = Policy(delays=(0.01, 0.02), settle=0.05)
LISTENER = """
import socket, sys
kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
sock = socket.socket(socket.AF_INET, kind)
sock.bind(("0.0.0.0", int(sys.argv[2])))
if kind == socket.SOCK_STREAM:
    sock.listen()
print(sock.getsockname()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def listener(protocol: str, port: int = 0, *before: str) -> Iterator[tuple[int, int]]:
    """Another process that listens; its id and port."""
    command = [*before, sys.executable, "-c", LISTENER, protocol, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            pytest.skip("a network namespace can't be made here")
        yield process.pid, int(line)
        process.kill()


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_process_that_listens_is_found_and_no_other(protocol: str) -> None:
    with listener(protocol) as (pid, port):
        assert listens([pid], port, protocol)
        assert listens([os.getpid(), pid], port, protocol)
        assert not listens([os.getpid()], port, protocol), "somebody else's socket"
        assert not listens([pid], port, "udp" if protocol == "tcp" else "tcp")
    assert not listens([pid], port, protocol), "it has ended"
    assert not listens([], port, protocol)


def test_any_address_counts_and_a_client_does_not() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as six, socket.socket() as client:
        port = six.getsockname()[1]
        assert listens([os.getpid()], port, "tcp")
        with socket.create_server(("127.0.0.1", 0)) as server:
            client.connect(server.getsockname())
            assert not listens([os.getpid()], client.getsockname()[1], "tcp")
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", 9))
        assert not listens([os.getpid()], client.getsockname()[1], "udp")


def test_what_listens_outside_of_its_network_is_not_the_game() -> None:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is missing: apt-get install -y util-linux")
    inner = [
        unshare,
        "--user",
        "--map-root-user",
        "--net",
        "sh",
        "-c",
        'ip link set lo up 2>/dev/null; exec "$@"',
        "sh",
    ]
    with listener("udp", 0, *inner) as (pid, port):
        assert listens([pid], port, "udp")
        assert not listens([os.getpid()], port, "udp")
        with listener("udp", port) as (proxy, _), listener("udp") as (_, other):
            assert listens([proxy], port, "udp")
            assert not listens([pid], other, "udp"), "like the port of a container that only its proxy has"


@pytest.fixture
def policy() -> Policy:
    return QUICK


async def reaches(managed: Managed, state: str) -> None:
    await wait_for(lambda: managed.server.state == state, what=f"state {state}, now {managed.server.state}")


async def test_a_port_or_a_pattern_means_running(node: Node) -> None:
    with listener("tcp") as (pid, number):
        ports = [Port("127.0.0.1", 1, name="game"), Port("127.0.0.1", number, name="query")]
        changes = {"ports": ports, "ready": [Ready("query", "tcp")], "done": ["never printed"]}
        managed = await node.create(**changes)
        await managed.power("start")
        node.runtime.latest.print(b"hello\n")
        assert managed.server.state == "starting"
        node.runtime.latest.processes = [pid]
        await reaches(managed, "running")
        other = await node.create(**{**changes, "done": ["Ready"]})
        await other.power("start")
        node.runtime.latest.print(b"Ready\n")
        await reaches(other, "running")


async def test_a_port_that_the_server_was_not_given_is_not_waited_for(node: Node) -> None:
    managed = await node.create(done=[], ready=[Ready("query", "udp")])
    await managed.power("start")
    await reaches(managed, "running")


async def test_what_does_not_run_in_time_is_ended_and_started_again(node: Node) -> None:
    managed = await node.create(start_timeout=1)
    await managed.power("start")
    first = node.runtime.latest
    await wait_for(lambda: len(node.runtime.runs) == 2)
    assert first.ended is not None and first.ended.signal == "SIGKILL"
    (crash,) = node.context.reported("server.crashed", managed.server.id)
    assert "not running 1 s after its start" in crash["reason"]
    assert crash["restarting"]
    node.runtime.latest.print(b"Ready\n")
    await reaches(managed, "running")
    assert managed.server.record.failure == ""


async def test_a_clean_exit_does_not_hide_that_it_took_too_long(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async def kill(run: object) -> None:
        node.runtime.latest.exit(0)

    monkeypatch.setattr(MemoryRun, "kill", kill)
    managed = await node.create(start_timeout=1)
    await managed.power("start")
    await wait_for(lambda: node.context.reported("server.crashed", managed.server.id))


async def test_the_time_out_goes_on_with_a_new_agent(node: Node) -> None:
    managed = await node.create(start_timeout=1)
    await managed.power("start")
    node.kill_agent()
    node.runtime.latest.started_at -= 3600
    await node.start_agent()
    # It may have said meanwhile that it runs, so that is looked for first.
    assert node.runtime.latest.ended is None
    await wait_for(lambda: node.context.reported("server.crashed", managed.server.id))


async def test_what_came_up_while_the_agent_was_away_is_not_late(node: Node) -> None:
    managed = await node.create(start_timeout=1)
    await managed.power("start")
    node.kill_agent()
    node.runtime.latest.started_at -= 3600
    node.runtime.latest.print(b"Ready\n")
    await node.start_agent()
    await reaches(node.manager.get(managed.server.id), "running")
    assert not node.context.reported("server.crashed", managed.server.id)


async def test_a_kill_that_fails_is_tried_again(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "KILL_AGAIN", 0.01)
    tries = []

    async def kill(run: object) -> None:
        tries.append(run)
        if len(tries) < 3:
            raise OSError("the runtime is away")
        node.runtime.latest.exit(None, "SIGKILL")

    monkeypatch.setattr(MemoryRun, "kill", kill)
    managed = await node.create(start_timeout=1)
    await managed.power("start")
    await wait_for(lambda: node.context.reported("server.crashed", managed.server.id))
    assert len(tries) == 3
