"""The parts of the docker runtime that need no Docker."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellar.errors import Invalid
from stellar.plugins.blueprints.images import valid_image
from stellar.plugins.servers.agent.docker import container, helpers, registries
from stellar.plugins.servers.agent.docker.fitting import Meeting
from stellar.plugins.servers.agent.docker.history import PART, entries, since
from stellar.plugins.servers.agent.docker.images import Progress
from stellar.plugins.servers.agent.docker.network import agent_id, isolates, network_name
from stellar.plugins.servers.agent.docker.run import _exit
from stellar.plugins.servers.agent.docker.usage import Usage
from stellar.plugins.servers.spec import Limits, Port

STAMP = b"2026-11-28T08:59:09.%09dZ "


def docker_log(text: bytes, *, stamped: bool) -> bytes:
    """What Docker keeps of an output: lines, long ones in parts, each with its time stamp."""
    found, at, number = b"", 0, 0
    while at < len(text):
        newline = text.find(b"\n", at)
        end = min(len(text) if newline < 0 else newline + 1, at + PART)
        if text[end : end + 1] == b"\n" and end - at == PART:
            end += 1
        found += (STAMP % number if stamped else b"") + text[at:end]
        at, number = end, number + 1
    return found


@given(st.lists(st.one_of(st.binary(max_size=40), st.just(b"x" * PART), st.just(b"y" * (PART + 5)))), st.booleans())
def test_entries_give_back_what_was_printed(lines: list[bytes], ends: bool) -> None:
    text = b"\n".join(lines) + (b"\n" if ends else b"")
    read = entries(docker_log(text, stamped=True))
    assert b"".join(entry.data for entry in read) == text == docker_log(text, stamped=False)
    assert [entry.stamp for entry in read] == [(STAMP % number)[:-1].decode() for number in range(len(read))]


def test_lines_that_begin_with_a_time_stamp_are_lines() -> None:
    printed = b"2026-11-28T08:59:09.000000001Z hello\r\n"
    assert [entry.data for entry in entries(STAMP % 5 + printed)] == [printed]
    assert entries(b"no stamp\n") == []


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("", {}),
        ("1970-01-01T00:00:10.000000007Z", {"since": "10.000000007"}),
        ("1970-01-01T00:00:10Z", {"since": "10.000000000"}),
        ("1970-01-01T02:00:10.5+02:00", {"since": "10.500000000"}),
    ],
)
def test_since(stamp: str, at: dict[str, str]) -> None:
    assert since(stamp) == at


@given(
    st.lists(st.sampled_from([b"tick\n", b"tock\n", b"line 1\n", b"> "]), min_size=1, max_size=40),
    st.integers(0, 200),
    st.integers(0, 200),
    st.data(),
)
def test_a_meeting_is_never_wrong(pieces: list[bytes], before: int, opened: int, data: st.DataObject) -> None:
    """Whatever is printed, wherever the connection begins: the answer is right, or there is none yet."""
    output = b"".join(pieces)
    base = min(before, len(output))
    start = min(base + opened, len(output))
    known = output[: output.rfind(b"\n") + 1]
    meeting = Meeting(base)
    meeting.live += output[start:]
    meeting.logged += known[base:]
    answers = [meeting.decide() for _ in range(3)]
    assert set(answers) <= {None, start}
    fresh = output[start:]
    if fresh.endswith(b"\n"):
        assert answers[-1] == start, "once it is silent, both end at the same place"


def test_a_meeting_decides_by_a_line_that_stands_in_one_place() -> None:
    meeting = Meeting(100)
    meeting.live += b"two\nthree\nfo"
    assert meeting.decide() is None, "what is live may not have reached the log yet"
    meeting.logged += b"one\ntwo\nthree\n"
    assert meeting.decide() == 104


def test_a_meeting_that_repeats_itself_gives_up() -> None:
    meeting = Meeting(0)
    for _ in range(40):
        meeting.live += b"y\n" * 8000
        meeting.logged += b"y\n" * 8000
        assert meeting.decide() is None
    assert meeting.hopeless


@given(st.text(max_size=40))
def test_images_have_names_without_tricks(name: str) -> None:
    if valid_image(name):
        assert not name.startswith("-") and ".." not in name and "//" not in name
        assert not set(name) & set(" \t\n\\'\"$`;&|<>?*#%")


@pytest.mark.parametrize(
    "name",
    ["debian", "debian:12-slim", "ghcr.io/pelican-eggs/yolks:java_21", "localhost:5000/a/b", "a@sha256:" + "0" * 64],
)
def test_usual_names_of_images(name: str) -> None:
    assert valid_image(name)


def test_resources_have_overhead_swap_and_the_rest() -> None:
    mib = 1 << 20
    assert container.with_overhead(0) == 0
    assert [container.with_overhead(size) for size in (1000, 2048, 4096)] == [1150, 2252, 4300]
    none = container.resources(Limits())
    assert (none["Memory"], none["MemorySwap"], none["CpuQuota"], none["PidsLimit"]) == (0, 0, -1, 1024)
    some = container.resources(Limits(memory_mb=1000, swap_mb=-1, oom_kill=False))
    assert (some["Memory"], some["MemorySwap"], some["OomKillDisable"]) == (1150 * mib, -1, True)
    assert container.resources(Limits(memory_mb=1000))["MemorySwap"] == 1150 * mib, "no swap"
    assert not container.resources(Limits(oom_kill=False))["OomKillDisable"], "without a limit it would wait for ever"


def test_ports_are_bound_where_they_belong() -> None:
    found = container.port_bindings([Port("192.0.2.1", 1, "both", "game"), Port("::1", 2, "udp", "query")])
    assert found == {
        "1/tcp": [{"HostIp": "192.0.2.1", "HostPort": "1"}],
        "1/udp": [{"HostIp": "192.0.2.1", "HostPort": "1"}],
        "2/udp": [{"HostIp": "::1", "HostPort": "2"}],
    }


def test_registries_are_kept_for_the_agent_alone(tmp_path: Path) -> None:
    file = registries.registries_file(tmp_path / "agent")
    registries.login(file, "https://ghcr.io/v2/", "me", "pass:word")
    registries.login(file, "docker.io", "hub", "x")
    assert file.stat().st_mode & 0o777 == 0o600
    assert registries.users(file) == {"ghcr.io": "me", "docker.io": "hub"}
    header = registries.header_for("ghcr.io/a/b:1", file)
    assert header is not None
    assert json.loads(base64.urlsafe_b64decode(header)) == {
        "username": "me",
        "password": "pass:word",
        "serveraddress": "ghcr.io",
    }
    assert registries.header_for("library/debian", file) == registries.header_for("debian:12", file) is not None
    assert registries.header_for("ghcr.io.evil.example/a", file) is None
    assert registries.logout(file, "ghcr.io") and not registries.logout(file, "ghcr.io")
    assert registries.header_for("ghcr.io/a/b", file) is None


def test_what_docker_login_has_written_counts_after_the_node_s_own(tmp_path: Path) -> None:
    own, docker = tmp_path / "own.json", tmp_path / "config.json"
    auth = base64.b64encode(b"them:secret").decode()
    docker.write_text(json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": auth}, "quay.io": {}, "-x": 5}}))
    header = registries.header_for("debian", own, docker)
    assert header is not None and json.loads(base64.urlsafe_b64decode(header))["username"] == "them"
    assert registries.header_for("quay.io/a", own, docker) is None
    docker.write_text("[]")
    assert registries.header_for("debian", own, docker) is None


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a program ``docker-credential-test`` on the path."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    def put(script: str) -> None:
        program = tmp_path / "bin/docker-credential-test"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n[ $1 = get ] || exit 9\n{script}\n")
        program.chmod(0o755)

    return put


def decoded(image: str, config: Path) -> dict[str, str] | None:
    """What is sent to a registry."""
    header = registries.header_for(image, config.with_name("own.json"), config)
    found: dict[str, str] | None = header and json.loads(base64.urlsafe_b64decode(header))
    return found


def test_what_docker_s_helpers_keep_counts(tmp_path: Path, helper: Callable[[str], None]) -> None:
    config = tmp_path / "config.json"
    helper("""read -r server; printf '{"ServerURL":"x","Username":"me at %s","Secret":"s"}' "$server" """)
    config.write_text(json.dumps({"auths": {"ghcr.io": {}}, "credsStore": "test"}))
    found = decoded("ghcr.io/a/b", config)
    assert found == {"username": "me at ghcr.io", "password": "s", "serveraddress": "ghcr.io"}
    hub = decoded("debian:12", config)
    assert hub is not None and hub["username"] == "me at https://index.docker.io/v1/"

    auth = base64.b64encode(b"plain:word").decode()
    config.write_text(json.dumps({"auths": {"quay.io": {"auth": auth}}, "credHelpers": {"ghcr.io": "test"}}))
    assert decoded("ghcr.io/a/b", config) is not None
    quay = decoded("quay.io/a/b", config)
    assert quay is not None and quay["username"] == "plain", "the helper is another registry's"
    assert decoded("debian", config) is None

    helper("""echo '{"Username":"<token>","Secret":"t"}'""")
    assert decoded("ghcr.io/a/b", config) == {"identitytoken": "t", "serveraddress": "ghcr.io"}


@pytest.mark.parametrize(
    "script",
    [
        "echo credentials not found in native keychain; exit 1",
        "echo '[]'",
        """echo '{"Username": 5, "Secret": ["x"]}'""",
        """echo '{"Username":"me","Secret":""}'""",
        "head -c 100000 /dev/zero",
        'echo $$ >"$0.pid"; sleep 600',
    ],
)
def test_a_helper_that_fails_is_passed_over(
    tmp_path: Path, helper: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(helpers, "SECONDS", 0.5)
    helper(script)
    auth = base64.b64encode(b"plain:word").decode()
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"auths": {"ghcr.io": {"auth": auth}}, "credsStore": "test"}))
    found = decoded("ghcr.io/a/b", config)
    assert found is not None and found["username"] == "plain"
    started = tmp_path / "bin/docker-credential-test.pid"
    assert not started.exists() or not Path("/proc", started.read_text().strip()).exists(), "it is ended"


@pytest.mark.parametrize("name", ["../../bin/evil", "missing", "-x", "a b", "", 5, None, ["x"]])
def test_what_is_no_helper_isn_t_run(tmp_path: Path, helper: Callable[[str], None], name: Any) -> None:
    evil = tmp_path / "evil"
    helper("exit 1")
    (tmp_path / "bin/evil").write_text(f"#!/bin/sh\ntouch {evil}\n")
    (tmp_path / "bin/evil").chmod(0o755)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"credsStore": name, "credHelpers": {"ghcr.io": name}}))
    assert decoded("ghcr.io/a/b", config) is None
    assert not evil.exists()


@pytest.mark.parametrize("name", ["-v", "a b", "a;b", "http://", "../x"])
def test_what_is_no_registry_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid):
        registries.login(tmp_path / "r.json", name, "me", "x")


def test_each_agent_has_a_network_of_its_own(tmp_path: Path) -> None:
    assert network_name("", tmp_path) == f"stellar-{agent_id(tmp_path)}" != network_name("", tmp_path / "other")
    assert network_name("mine", tmp_path) == "mine"
    assert not isolates({"Driver": "bridge", "Options": {}})
    assert isolates({"Driver": "bridge", "Options": {"com.docker.network.bridge.enable_icc": "false"}})
    assert not isolates({"Driver": "host", "Options": {"com.docker.network.bridge.enable_icc": "false"}})


def test_ends() -> None:
    at = {"FinishedAt": "1970-01-01T00:00:10.5Z"}
    assert _exit({"ExitCode": 3, **at}).code == 3 and _exit({"ExitCode": 3, **at}).at == 10.0
    killed = _exit({"ExitCode": 137, "OOMKilled": True, **at})
    assert (killed.code, killed.signal, killed.oom) == (None, "SIGKILL", True)
    assert not _exit({"ExitCode": 0, "OOMKilled": True, **at}).oom, "a child of it was, and it went on"


def test_usage_from_two_answers() -> None:
    def answer(used: int, system: int) -> dict[str, object]:
        cpu = {"cpu_usage": {"total_usage": used}, "system_cpu_usage": system, "online_cpus": 4}
        memory = {"usage": 5000, "stats": {"inactive_file": 2000}}
        blocks = {"io_service_bytes_recursive": [{"op": "Read", "value": 7}, {"op": "write", "value": 8}]}
        return {
            "cpu_stats": cpu,
            "memory_stats": memory,
            "pids_stats": {"current": 3},
            "networks": {"eth0": {"rx_bytes": 5, "tx_bytes": 6}},
            "blkio_stats": blocks,
        }

    usage = Usage()
    assert usage.read(answer(100, 1000), 5.0).cpu_percent == 0.0
    found = usage.read(answer(200, 1400), 6.0)
    assert (found.cpu_percent, found.memory_bytes, found.processes, found.uptime) == (100.0, 3000, 3, 6.0)
    assert (found.network_rx_bytes, found.network_tx_bytes, found.io_read_bytes, found.io_write_bytes) == (5, 6, 7, 8)
    assert set(Usage().read({}, 0.0).unknown) == {"network", "io"}


def test_a_pull_is_told_of_in_percent() -> None:
    said: list[str] = []
    progress = Progress("game", said.append)
    progress.heard({"status": "Pulling from game", "id": "1"})
    assert said == [], "nothing had to be fetched"
    progress.heard({"status": "Downloading", "id": "a", "progressDetail": {"current": 5_000_000, "total": 20_000_000}})
    assert said == ["Pulling the image game: 25 % of 20 MB"]
