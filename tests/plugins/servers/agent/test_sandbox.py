from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from runs import bench, needs_bwrap, needs_root

from stellar.plugins.servers.agent import sandbox

pytestmark = needs_bwrap


async def run(root: Path, command: str, *, kind: str = "game", **env: str) -> str:
    """What a command prints in the sandbox."""
    async with bench(root) as b:
        if not (await b.runtime.protection()).active["sandbox"]:
            pytest.skip((await b.runtime.protection()).reasons["sandbox"])
        await b.start(command, kind=kind, **env)
        await b.ends_with()
        return b.output().replace("\r\n", "\n")


async def test_sees_neither_other_servers_nor_the_agents_files(tmp_path: Path) -> None:
    other = tmp_path / "servers/other/data"
    other.mkdir(parents=True)
    (other / "world").write_text("theirs")
    (tmp_path / "agent.key").write_text("secret")
    text = await run(
        tmp_path / "servers/mine",
        f"cat {other}/world; cat {tmp_path}/agent.key; cat ../../spec.json; ls -A /root /home /srv /opt; ls ..; "
        "cat /etc/shadow; ls /proc/1/root/home; echo end",
    )
    assert "theirs" not in text and "secret" not in text and "root:" not in text
    listed = [line for line in text.splitlines() if ":" not in line]
    assert listed == ["container", "container", "end"], text


async def test_writes_only_to_its_own_data_and_private_temporary_files(tmp_path: Path) -> None:
    text = await run(
        tmp_path / "s1",
        "for d in / /usr /usr/bin /etc /home /run /var /sys /dev /proc; do touch $d/x 2>/dev/null && echo WROTE $d; "
        "done; "
        "touch /tmp/t /dev/shm/t here && echo fine; mount -t tmpfs none /tmp 2>/dev/null && echo MOUNTED; exit 0",
    )
    assert text.replace("WROTE /dev\n", "" if os.geteuid() else "WROTE /dev\n") == "fine\n"
    assert [path.name for path in (tmp_path / "s1/data").iterdir()] == ["here"]
    assert not Path("/tmp/t").exists()


async def test_has_no_privileges_and_sees_and_signals_only_itself(tmp_path: Path) -> None:
    text = await run(
        tmp_path / "s1",
        f"grep -E 'NoNewPrivs|CapEff|CapPrm' /proc/self/status; kill -9 {os.getpid()} 2>/dev/null && echo KILLED; "
        f"test -e /proc/{os.getpid()}/fd/0 && echo SEEN; kill -9 -1; echo still alive",
    )
    assert "NoNewPrivs:\t1" in text and text.count("0000000000000000") == 2
    assert "SEEN" not in text and "KILLED" not in text
    os.kill(os.getpid(), 0)


@needs_root
async def test_every_server_has_a_user_of_its_own(tmp_path: Path) -> None:
    texts = [await run(tmp_path / name, "id -u; id -G; id -un; touch mine; > /dev/stderr") for name in ("s1", "s2")]
    uids = [int(text.split()[0]) for text in texts]
    assert uids == [sandbox.server_uid("s1"), sandbox.server_uid("s2")] and uids[0] != uids[1]
    assert texts[0] == f"{uids[0]}\n{uids[0]}\ncontainer\n"
    assert (tmp_path / "s1/data/mine").stat().st_uid == uids[0]


async def test_the_system_works_inside(tmp_path: Path) -> None:
    text = await run(
        tmp_path / "s1",
        "getent hosts localhost >/dev/null && echo names; test -r /etc/ssl/certs && echo certificates; "
        "command -v awk >/dev/null && awk 'BEGIN {print \"alternatives\"}'; echo $LANG $TERM; stty size; "
        "test $(ps -e 2>/dev/null | wc -l) -lt 20 && echo own processes; echo via > /dev/tty",
    )
    assert text == "names\ncertificates\nalternatives\nC.UTF-8 xterm-256color\n30 100\nown processes\nvia\n"


async def test_a_variable_cannot_reach_the_programs_that_drop_privileges(tmp_path: Path) -> None:
    evil = tmp_path / "s1/data/evil.so"
    evil.parent.mkdir(parents=True)
    evil.write_bytes(b"no library")
    text = await run(tmp_path / "s1", "exec 2>&1; echo ok", LD_PRELOAD="/home/container/evil.so")
    assert text.count("cannot be preloaded") + text.count("invalid ELF") + text.count("too short") <= 2, text
    assert text.endswith("ok\n")
    assert "setpriv" not in text and "setsid" not in text and "bwrap" not in text


async def test_registry_settings_are_for_installs_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".npmrc").write_text("registry=https://registry.invalid/\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("SECRET_OF_THE_AGENT", "hidden")
    command = 'echo "[$HTTPS_PROXY][$SECRET_OF_THE_AGENT]"; cat "$npm_config_userconfig" 2>/dev/null; ls -A'
    installing = await run(tmp_path / "s1", command, kind="install")
    assert installing == "[http://proxy.invalid:3128][]\nregistry=https://registry.invalid/\n"
    assert await run(tmp_path / "s2", command) == "[][]\n"
    assert not (tmp_path / "s1/run/npmrc").exists()


@needs_root
def test_giving_files_follows_no_link(tmp_path: Path) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    (data / "deep/er").mkdir(parents=True)
    (data / "deep/er/file").write_text("x")
    outside.mkdir()
    (outside / "file").write_text("x")
    (data / "link").symlink_to(outside)
    (data / "deep/filelink").symlink_to(outside / "file")
    sandbox.give(data, 1234567)
    assert {path.lstat().st_uid for path in (data, *data.rglob("*"))} == {1234567}
    assert outside.stat().st_uid == 0 and (outside / "file").stat().st_uid == 0


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@needs_root
def test_giving_survives_a_directory_deeper_than_any_path(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(2000):
            os.mkdir("d" * 10, dir_fd=here)
            below = os.open("d" * 10, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    before = open_files()
    sandbox.give(tmp_path, 1234567)
    assert open_files() == before
    subprocess.run(["rm", "-rf", str(tmp_path / ("d" * 10))], check=True)


def test_reasons_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SEARCH_PATH", str(tmp_path))
    abilities = sandbox.examine(tmp_path)
    assert not abilities.bwrap and "apt-get install bubblewrap" in abilities.reasons["sandbox"]
    assert not abilities.own_uid and abilities.reasons["own_uid"]
