"""Servers as containers of a real Podman, through its Docker socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker_parts import ADDRESS, EGG, Daemon
from docker_runs import Bench, Benches
from podman_parts import running_podman
from registry_parts import PASSWORD, USER, registry_of

from stellar.errors import Unavailable
from stellar.plugins.servers.agent.docker import podman
from stellar.plugins.servers.agent.docker.registries import login, registries_file
from stellar.plugins.servers.agent.docker.runtime import DockerRuntime
from stellar.plugins.servers.agent.listening import listens
from stellar.plugins.servers.agent.sandbox import server_uid
from stellar.plugins.servers.settings import DockerSettings
from stellar.plugins.servers.spec import Limits, Port
from stellar.testing.waiting import wait_for

MIB = 1 << 20


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    yield from running_podman()


def networks_of(daemon: Daemon, bench: Bench) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = daemon.call("GET", "/v4.0.0/libpod/networks/json").json()
    return [one for one in found if bench.id in one["name"]]


async def test_the_whole_road(b: Bench, daemon: Daemon) -> None:
    await b.start('id -u; echo "$TERM" >/mnt/server/installed', kind="install")
    assert (await b.ends_with()).code == 0
    installed = b.root / "data/installed"
    assert installed.read_text() == "xterm-256color\n" and installed.stat().st_uid == server_uid(b.id)

    b.exits.clear()
    asks = 'printf "name> "; read line; echo "got <$line>"; stty size'
    saves = "trap 'echo saved; exit 5' TERM; echo ready; sleep 60 & wait"
    run = await b.start(f"{asks}; {saves}", limits=Limits(memory_mb=100, cpu_percent=150, cpu_set="0", pids=77))
    await b.prints("name> ")
    await run.resize(120, 40)
    await run.send("grüße\n".encode())
    await b.prints("ready")
    assert "got <grüße>" in b.printed() and "40 120\n" in b.printed()
    stats = await run.stats()
    assert stats.memory_bytes > 0 and stats.processes >= 2
    await run.signal("SIGTERM")
    assert (await b.ends_with()).code == 5
    assert "saved" in b.printed()
    assert [one for one in daemon.containers() if one["Labels"].get("io.stellar.server") == b.id] == []
    assert networks_of(daemon, b) == [], "its network ends with it"


async def test_what_a_container_may_not_do(b: Bench) -> None:
    run = await b.start(
        "cat /proc/self/status | grep -E 'Cap(Eff|Bnd|Prm)|NoNewPrivs|Uid|Seccomp:'; touch /x /bin/x; touch /tmp/ok && "
        "echo tmp; touch mine && echo data; mount -t tmpfs x /mnt; echo ready; exec sleep 600"
    )
    await b.prints("ready")
    text, uid = b.printed(), server_uid(b.id)
    assert text.count("0000000000000000") == 3
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in text and "NoNewPrivs:\t1" in text and "Seccomp:\t2" in text
    assert text.count("Read-only file system") == 2
    assert "\ntmp\n" in text and "\ndata\n" in text and "mount: " in text
    await run.signal("SIGTERM")
    assert (await b.ends_with()).signal == "SIGTERM", "its first process is an init"


async def test_limits_and_their_change(b: Bench, daemon: Daemon) -> None:
    limits = Limits(memory_mb=100, cpu_percent=150, swap_mb=20, cpu_set="0", pids=20)
    fork = "(for i in $(seq 60); do sleep 60 & done)"
    run = await b.start(f"echo ready; read line; {fork}; read line", limits=limits)
    await b.prints("ready")
    config = daemon.call("GET", f"/containers/{run._saved.container}/json").json()["HostConfig"]
    assert (config["Memory"], config["MemorySwap"], config["CpuQuota"]) == (115 * MIB, 135 * MIB, 150_000)
    assert (config["CpusetCpus"], config["PidsLimit"]) == ("0", 20)
    await run.limit(Limits(memory_mb=100, pids=10))
    await run.send(b"\n")
    await b.prints("can't fork")
    assert (await run.stats()).processes <= 10
    await run.kill()
    assert b.exits[0].signal == "SIGKILL"


async def test_sigint_reaches_the_game_and_not_the_shell_that_waits_for_it(b: Bench) -> None:
    game = "trap 'sleep 0.2; echo saved; exit 5' INT; echo ready; while :; do sleep 0.05; done"
    run = await b.start(f'sh -c "{game}"; code=$?; echo wrapper; exit $code')
    await b.prints("ready")
    await run.signal("SIGINT")
    assert (await b.ends_with()).code == 5
    assert b.printed() == "ready\nsaved\nwrapper\n"


async def test_a_port_on_both_protocols_and_no_way_to_the_neighbour(benches: Benches, daemon: Daemon) -> None:
    serving, curious = benches(), benches()
    port = Port(ADDRESS, 40311, "both")
    arrived = "grep Udp: /proc/net/snmp | tail -n 1 | cut -d ' ' -f 3"  # datagrams that nobody listened for
    run = await serving.start(
        "ip -4 addr show eth0 | grep inet; (while :; do echo over tcp | nc -l -p 40311; done) & "
        f"while read line; do echo datagrams: $({arrived}); done",
        ports=[port],
    )
    await serving.prints("inet ")
    address = serving.printed().partition("inet ")[2].partition("/")[0]
    pids = await run.pids()
    await wait_for(lambda: listens(pids, port.port, "tcp"))

    def ask() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.sendto(b"hello", (ADDRESS, port.port))
        with socket.create_connection((ADDRESS, port.port), timeout=5) as tcp:
            return tcp.recv(100)

    assert daemon.inside(ask) == b"over tcp\n"
    await run.send(b"\n")
    await serving.prints("datagrams: 1")

    await curious.start(f"nc -w 2 {address} 40311 || echo unreachable; echo done; exec sleep 600")
    await curious.prints("done")
    assert "unreachable" in curious.printed() and "over tcp" not in curious.printed()
    gateway = networks_of(daemon, curious)[0]["subnets"][0]["gateway"]
    assert await benches.runtime.node_address(curious.id) == gateway


async def test_the_agent_and_podman_are_killed_and_nothing_is_lost(tmp_path: Path, daemon: Daemon) -> None:
    benches = Benches(tmp_path, daemon)
    b = benches()
    await b.start(
        'i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo "line $i"; sleep 0.05; done; printf "more? "; read x; echo "$x"'
    )
    await b.prints("line 5\n")
    await benches.runtime.close()
    assert b.run is not None and b.run._task is not None
    b.run._task.cancel()
    daemon.stop(9)
    daemon.start()
    runtime = DockerRuntime(tmp_path, DockerSettings(host=daemon.host))
    again = await runtime.attach(b.root, b.ends.append, b.exits.append)
    assert again is not None
    await b.prints("line 60\n")
    await again.send(b"yes\n")
    assert (await b.ends_with()).code == 0
    lines = [line for line in b.printed().split("\n") if line.startswith("line ")]
    assert lines == [f"line {i}" for i in range(1, 61)]
    await runtime.close()


async def test_a_private_image_is_pulled_by_who_has_signed_in(b: Bench, daemon: Daemon) -> None:
    with registry_of(daemon) as registry:
        with pytest.raises(Unavailable, match="stellar registry login"):
            await b.start("true", image=registry.name)
        login(registries_file(b.root.parent.parent), registry.name.partition("/")[0], USER, PASSWORD)
        await b.start("echo it was pulled", image=registry.name)
        assert (await b.ends_with()).code == 0
    assert f"[stellar] Pulling the image {registry.name}.\n" in b.output()
    assert f"[stellar] Pulled the image {registry.name}." in b.output()


async def test_an_image_for_eggs_gets_the_line_as_startup(b: Bench) -> None:
    await b.start("echo hello", image=EGG, startup="echo startup $(id -u)")
    assert (await b.ends_with()).code == 0
    assert b.printed() == f"entrypoint of {server_uid(b.id)}\nstartup {server_uid(b.id)}\n"


async def test_a_network_that_is_open_is_made_anew(b: Bench, daemon: Daemon) -> None:
    await b.runtime.node_address(b.id)
    name = networks_of(daemon, b)[0]["name"]
    daemon.call("GET", f"/networks/{name}")  # makes Podman 4.3 forget
    await b.runtime.node_address(b.id)
    assert networks_of(daemon, b)[0]["options"] == {"isolate": "true"}
    daemon.call("DELETE", f"/networks/{name}")
    daemon.call("POST", "/v4.0.0/libpod/networks/create", content=b'{"name": "%s", "driver": "bridge"}' % name.encode())
    await b.start("echo ready; sleep 60")
    assert networks_of(daemon, b)[0]["options"] == {"isolate": "true"}


def test_an_old_podman_is_refused() -> None:
    podman.check({"ServerVersion": "4.3.1"})
    podman.check({"ServerVersion": "5.4.2"})
    with pytest.raises(Unavailable, match="too old"):
        podman.check({"ServerVersion": "3.4.4"})
