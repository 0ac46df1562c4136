"""Servers as containers of a real Docker."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker_parts import ADDRESS, EGG, OTHER_ADDRESS, Daemon, running_daemon
from docker_runs import Bench, Benches
from registry_parts import PASSWORD, USER, registry_of

from stellar.errors import Conflict, Forbidden, Invalid, Unavailable
from stellar.plugins.servers.agent.docker.registries import login, registries_file
from stellar.plugins.servers.agent.docker.runtime import DockerRuntime
from stellar.plugins.servers.agent.listening import listens
from stellar.plugins.servers.agent.runtime import Exit
from stellar.plugins.servers.agent.sandbox import server_uid
from stellar.plugins.servers.settings import DockerSettings
from stellar.plugins.servers.spec import Limits, Mount, Port
from stellar.testing.waiting import wait_for


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    yield from running_daemon()


def container_of(daemon: Daemon, bench: Bench) -> dict[str, Any]:
    found = [one for one in daemon.containers() if one["Labels"].get("io.stellar.server") == bench.id]
    assert len(found) == 1
    inspected: dict[str, Any] = daemon.call("GET", f"/containers/{found[0]['Id']}/json").json()
    return inspected


async def test_output_from_the_first_byte_exit_code_and_nothing_left(b: Bench, daemon: Daemon) -> None:
    run = await b.start('printf "first:%s:%s:" "$GREETING" "$HOME"; pwd; id -un; exit 7', env={"GREETING": 'a "b" $c'})
    assert (await b.ends_with()).code == 7
    assert b.printed() == 'first:a "b" $c:/home/container:/home/container\ncontainer\n'
    assert b.ends[-1] == b.log.end and b.exits[0].signal is None and not b.exits[0].oom
    assert [one for one in daemon.containers() if one["Labels"]["io.stellar.server"] == b.id] == []
    with pytest.raises(Conflict):
        await run.send(b"late\n")
    assert await b.runtime.attach(b.root, b.ends.append, b.exits.append) is None, "an end is taken up once"


async def test_connections_are_closed_at_the_end_and_where_a_start_fails(benches: Benches) -> None:
    ended, failing = benches(), benches()
    await ended.start("echo hello")
    await ended.ends_with()
    with pytest.raises(Unavailable):
        await failing.start("true", ports=[Port("192.0.2.77", 40200, "tcp")])
    connector = benches.runtime._connection().docker.connector
    assert len(connector._acquired) == 0  # while they are held, Docker holds them too


async def test_input_prompts_and_the_terminal(b: Bench) -> None:
    run = await b.start('stty size; printf "name> "; read line; echo "got <$line>"; stty size; read line; stty size')
    await b.prints("name> ")
    await run.resize(90, 20)
    await run.send("grüße\n".encode())
    await b.prints("20 90")
    await run.resize(120, 40)
    await run.send(b"\x10\x11\n")
    assert (await b.ends_with()).code == 0
    assert "got <grüße>" in b.printed()
    assert b.printed().endswith("40 120\n"), "control keys are the game's, not Docker's"


async def test_sigint_reaches_the_game_and_not_the_shell_that_waits_for_it(b: Bench) -> None:
    game = "trap 'sleep 0.2; echo saved; exit 5' INT; echo ready; while :; do sleep 0.05; done"
    run = await b.start(f'sh -c "{game}"; code=$?; echo wrapper; exit $code')
    await b.prints("ready")
    await run.signal("SIGINT")
    assert (await b.ends_with()).code == 5
    assert b.printed() == "ready\nsaved\nwrapper\n"
    with pytest.raises(Conflict):
        await run.signal("SIGTERM")


async def test_what_listens_in_it_is_seen_from_the_host_and_its_proxy_is_not_taken_for_it(b: Bench) -> None:
    port = Port(ADDRESS, 40123, "tcp")
    run = await b.start("read line; echo opening; exec nc -l -p 40123", ports=[port])
    pids = await run.pids()
    assert not listens(pids, port.port, "tcp")
    await run.send(b"\n")
    await wait_for(lambda: listens(pids, port.port, "tcp"))
    await run.kill()
    assert await run.pids() == []


async def test_an_unknown_signal_is_refused(b: Bench) -> None:
    run = await b.start("echo ready; exec sleep 60")
    with pytest.raises(Invalid):
        await run.signal("SIGNONSENSE")
    await run.signal("SIGTERM")
    assert (await b.ends_with()).signal == "SIGTERM"


async def test_kill_ends_everything_in_it(b: Bench) -> None:
    run = await b.start(
        "setsid setsid sleep 600 & nohup sleep 600 & trap : TERM INT HUP; echo ready; sleep 600; sleep 600"
    )
    await b.prints("ready")
    await run.kill()
    assert b.exits == [Exit(code=None, signal="SIGKILL", oom=False, at=b.exits[0].at)]
    await run.kill()
    assert len(b.exits) == 1


async def test_what_a_container_may_not_do(b: Bench, daemon: Daemon) -> None:
    run = await b.start(
        "cat /proc/self/status | grep -E 'Cap(Eff|Bnd|Prm)|NoNewPrivs|Uid'; touch /x /bin/x; touch /tmp/ok && echo tmp;"
        "touch mine && echo data; chroot . ; mount -t tmpfs x /mnt; ls /var/run/docker.sock; cat /proc/self/limits | "
        "grep core; echo ready; exec sleep 600"
    )
    await b.prints("ready")
    text, uid = b.printed(), server_uid(b.id)
    assert text.count("0000000000000000") == 3
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in text and "NoNewPrivs:\t1" in text
    assert text.count("Read-only file system") == 2
    assert "\ntmp\n" in text and "\ndata\n" in text
    assert "can't change root directory" in text and "mount: " in text and "No such file" in text
    assert (b.root / "data/mine").stat().st_uid == uid
    config = container_of(daemon, b)["HostConfig"]
    assert config["ReadonlyRootfs"] and config["CapDrop"] == ["ALL"] and not config["CapAdd"]
    assert config["NetworkMode"] != "host" and config["PidMode"] == "" and config["IpcMode"] == "private"
    assert config["LogConfig"]["Config"] == {"max-size": "20m", "max-file": "4"}
    assert config["PidsLimit"] == 1024
    await run.kill()


async def test_limits_are_docker_s(b: Bench, daemon: Daemon) -> None:
    limits = Limits(memory_mb=100, cpu_percent=150, swap_mb=20, cpu_set="0", io_weight=300, pids=77)
    run = await b.start("echo ready; exec sleep 600", limits=limits)
    await b.prints("ready")
    config, mib = container_of(daemon, b)["HostConfig"], 1 << 20
    assert (config["Memory"], config["MemorySwap"], config["MemoryReservation"]) == (115 * mib, 135 * mib, 100 * mib)
    assert (config["CpuQuota"], config["CpuPeriod"], config["CpusetCpus"]) == (150_000, 100_000, "0")
    assert config["PidsLimit"] == 77
    await run.limit(Limits(memory_mb=200, cpu_percent=50))
    config = container_of(daemon, b)["HostConfig"]
    assert (config["Memory"], config["CpuQuota"], config["PidsLimit"]) == (230 * mib, 50_000, 1024)
    await run.limit(Limits())
    assert container_of(daemon, b)["HostConfig"]["Memory"] > 1 << 40
    stats = await run.stats()
    assert stats.memory_bytes > 0 and stats.processes >= 1 and stats.uptime >= 0


async def test_a_fork_bomb_hits_its_limit_and_can_be_killed(benches: Benches) -> None:
    bomb, quiet = benches(), benches()
    run = await bomb.start("bomb() { bomb | bomb & }; bomb & echo ready; read line", limits=Limits(pids=40))
    other = await quiet.start("while read line; do echo got $line; done")
    await bomb.prints("can't fork")
    await other.send(b"hello\n")
    await quiet.prints("got hello")
    assert (await run.stats()).processes <= 40
    await run.kill()
    assert bomb.exits[0].signal == "SIGKILL"


async def test_a_memory_hog_is_reported_as_such(b: Bench) -> None:
    await b.start("echo ready; exec tail /dev/zero", limits=Limits(memory_mb=32))
    end = await b.ends_with()
    assert end.oom and end.signal == "SIGKILL"


async def test_ports_are_published_on_the_allocation_s_address_alone(b: Bench, daemon: Daemon) -> None:
    arrived = "grep Udp: /proc/net/snmp | tail -n 1 | cut -d ' ' -f 3"  # datagrams that nobody listened for
    run = await b.start(
        f"(while :; do echo tcp answers | nc -l -p 7777; done) & while read line; do echo arrived $({arrived}); done",
        ports=[Port(ADDRESS, 7777, "both", "game")],
    )

    def over_tcp(address: str) -> bytes:
        def attempt() -> bytes:
            with contextlib.suppress(OSError), socket.create_connection((address, 7777), 2) as connection:
                return connection.recv(100)
            return b""

        return daemon.inside(attempt)

    def over_udp(address: str) -> None:
        def attempt() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"hello", (address, 7777))

        daemon.inside(attempt)

    async def arrivals() -> int:
        before = b.output().count("arrived")
        await run.send(b"count\n")
        await wait_for(lambda: b.output().count("arrived ") > before, what="the count")
        return int(re.findall(r"arrived (\d+)", b.output())[-1])

    await wait_for(lambda: over_tcp(ADDRESS) == b"tcp answers\n", what="the port over TCP")
    assert over_tcp(OTHER_ADDRESS) == over_tcp("127.0.0.1") == b""
    for address in (OTHER_ADDRESS, "127.0.0.1"):
        over_udp(address)
    assert await arrivals() == 0
    over_udp(ADDRESS)
    assert await arrivals() == 1
    await run.kill()


async def test_a_port_in_use_is_said_to_be(benches: Benches) -> None:
    ports = [Port(ADDRESS, 7778, "tcp", "game")]
    first, second = benches(), benches()
    await first.start("exec sleep 600", ports=ports)
    with pytest.raises(Unavailable, match="in use") as refused:
        await second.start("exec sleep 600", ports=ports)
    assert refused.value.code == "port_in_use"
    assert await second.runtime.attach(second.root, second.ends.append, second.exits.append) is None


async def test_neighbours_can_t_reach_each_other(benches: Benches, daemon: Daemon) -> None:
    one, other = benches(), benches()
    await one.start("ip -4 addr show eth0 | grep inet; while :; do echo secret | nc -l -p 9000; done")
    await one.prints("inet ")
    found = re.search(r"inet ([\d.]+)/", one.output())
    assert found
    await one.run.send(b"") if one.run else None
    inside = await other.start(
        f"nc -w 2 {found[1]} 9000 || echo unreachable; nc -w 2 127.0.0.1 9000 || echo own; sleep 60"
    )
    await other.prints("own")
    assert "unreachable" in other.output() and "secret" not in other.output()
    assert daemon.inside(lambda: socket.create_connection((found[1], 9000), 5).recv(10)) == b"secret\n"
    await inside.kill()


async def test_an_install_decides_by_its_exit_code_and_its_files_become_the_server_s(b: Bench, daemon: Daemon) -> None:
    script = "set -e\r\npwd; id -u; mkdir -p sub /opt/tools; echo world > sub/file; chmod 4755 sub/file\r\n" + (
        "chown 12345 sub/file; echo x 2>/dev/null >/mnt/install/install.sh || echo script is safe; echo $NAME; exit 3"
    )
    await b.start(script, kind="install", shell="ash", env={"NAME": "egg"}, limits=Limits(memory_mb=64))
    assert (await b.ends_with()).code == 3
    assert b.printed() == "/mnt/server\n0\nscript is safe\negg\n"
    found = (b.root / "data/sub/file").stat()
    assert found.st_uid == server_uid(b.id) and found.st_mode & 0o7000 == 0
    assert not (b.root / "data/opt").exists()


async def test_an_image_for_eggs_gets_the_line_as_startup(b: Bench) -> None:
    line, note = "echo game of ${NAME}", "echo '[note]'"
    await b.start(f"{note}\n{line}", notes=note, startup=line, image=EGG, env={"NAME": "me"})
    assert (await b.ends_with()).code == 0
    assert b.printed() == f"[note]\nentrypoint of {server_uid(b.id)}\ngame of me\n"


@pytest.mark.parametrize(
    "image",
    ["--privileged", "-v", "", "a b", "../../etc", "a/../containers/json", "x;y", "a//b", "/a", "a:b:c:d", "x" * 300],
)
async def test_what_is_no_image_is_refused(b: Bench, image: str) -> None:
    with pytest.raises(Invalid):
        await b.start("true", image=image)


async def test_an_image_that_is_nowhere_is_a_clear_error(b: Bench) -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1/stellar/absent.*registry") as refused:
        await b.start("true", image="127.0.0.1:1/stellar/absent:9")
    assert refused.value.code == "no_image"


async def test_a_private_image_is_pulled_by_who_has_signed_in(b: Bench, daemon: Daemon) -> None:
    with registry_of(daemon) as registry:
        with pytest.raises(Unavailable, match="stellar registry login"):
            await b.start("true", image=registry.name)
        secrets = registries_file(b.root.parent.parent)
        login(secrets, registry.name.partition("/")[0], USER, "wrong")
        with pytest.raises(Unavailable, match="can't be pulled"):
            await b.start("true", image=registry.name)
        login(secrets, registry.name.partition("/")[0], USER, PASSWORD)
        await b.start("echo it was pulled", image=registry.name)
        assert (await b.ends_with()).code == 0
    assert "it was pulled" in b.printed()
    assert f"[stellar] Pulling the image {registry.name}.\n" in b.output()
    assert f"[stellar] Pulled the image {registry.name}." in b.output()
    assert PASSWORD not in b.output()


async def test_an_image_that_is_here_is_used_when_its_registry_is_away(b: Bench) -> None:
    await b.start("echo it runs")
    assert (await b.ends_with()).code == 0
    assert "could not be brought up to date" in b.output() and "it runs" in b.printed()


@pytest.mark.parametrize("shell", ["-c", "sh -c true", "/bin/sh;x", "--", ""])
async def test_what_is_no_shell_is_refused(b: Bench, shell: str) -> None:
    with pytest.raises(Invalid):
        await b.start("true", kind="install", shell=shell)


async def test_only_mounts_that_the_node_allows(tmp_path: Path, daemon: Daemon) -> None:
    maps, beside = tmp_path / "maps", tmp_path / "maps-secret"
    for folder in (maps, beside):
        folder.mkdir()
        (folder / "file").write_text(folder.name)
        folder.chmod(0o755)
    (maps / "link").symlink_to(beside)
    benches = Benches(tmp_path / "agent", daemon, mounts=[str(maps)])
    b = benches()
    await b.start("cat /maps/file; touch /maps/new || echo read-only", mounts=[Mount(str(maps), "/maps")])
    await b.ends_with()
    assert "maps" in b.printed() and "read-only" in b.printed()
    for source in (beside, maps / "link", maps / "../maps-secret", tmp_path, tmp_path / "agent", Path("/")):
        with pytest.raises(Forbidden):
            await b.start("true", mounts=[Mount(str(source), "/maps")])
    for target in ("/", "/etc/passwd", "/proc/x", "maps", "/a/../etc", "/home", "/home/container", "/usr/lib"):
        with pytest.raises(Invalid):
            await b.start("true", mounts=[Mount(str(maps), target)])
    await benches.close()


async def test_a_second_start_is_refused_while_one_runs(b: Bench) -> None:
    await b.start("exec sleep 600")
    with pytest.raises(Conflict):
        await b.runtime.start(b.launch("true"), b.ends.append, b.exits.append)


async def test_a_network_that_is_open_is_not_used(tmp_path: Path, daemon: Daemon) -> None:
    benches = Benches(tmp_path, daemon, network="open-one")
    daemon.call("POST", "/networks/create", content=b'{"Name": "open-one", "Driver": "bridge"}')
    with pytest.raises(Unavailable, match="reach each other"):
        await benches().start("true")
    await benches.close()


async def test_protection_says_what_docker_says(benches: Benches, daemon: Daemon) -> None:
    info = daemon.call("GET", "/info").json()
    found = await benches.runtime.protection()
    assert found.active["memory"] == info["MemoryLimit"] and found.active["pids"] == info["PidsLimit"]
    assert found.active["own_uid"] and found.active["sandbox"]
    assert set(found.reasons) == {name for name, works in found.active.items() if not works}


async def test_without_docker_the_reason_is_said(tmp_path: Path) -> None:
    away = DockerRuntime(tmp_path, DockerSettings(host=f"unix://{tmp_path}/none.sock"))
    with pytest.raises(Unavailable, match="doesn't answer"):
        await away.protection()
    await away.close()
    with pytest.raises(Unavailable, match="switched off"):
        await DockerRuntime(tmp_path, DockerSettings(host="off")).protection()


async def test_a_flood_is_whole_and_a_neighbour_still_answers(benches: Benches) -> None:
    flood, quiet = benches(), benches()
    await flood.start("seq 100000 | sed 's/.*/line & of the flood, padded a little/'")
    run = await quiet.start("read line; echo got $line")
    await run.send(b"me\n")
    assert (await quiet.ends_with()).code == 0
    await flood.ends_with(60)
    assert flood.printed() == "".join(f"line {n} of the flood, padded a little\n" for n in range(1, 100001))
