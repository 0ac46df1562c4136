from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stellar.plugins.servers.agent.console_log import ConsoleLog
from stellar.plugins.servers.agent.launched import KEEPER, connect, end_keeper, is_alive
from stellar.testing.waiting import wait_until


class Kept:
    """A keeper of its own, without the runtime around it."""

    def __init__(self, root: Path, command: str, **more: str) -> None:
        self.run, self.log = root / "run", ConsoleLog(root / "console")
        for path in (self.run, self.log.directory):
            path.mkdir(parents=True, exist_ok=True)
        pairs = {"log": str(self.log.directory), "cwd": str(root), **more}
        args = ["setsid", "-c", "/bin/sh", "-c", command]
        fields = [*pairs.items(), *(("arg", arg) for arg in args), ("env", f"PATH={os.environ['PATH']}")]
        (self.run / "launch").write_text("".join(f"{name}\0{value}\0" for name, value in fields))
        (self.run / "env").write_text("")
        self.client, theirs = socket.socketpair()
        self.client.settimeout(10)
        with theirs:
            argv = [sys.executable, "-I", "-S", str(KEEPER), str(self.run)]
            subprocess.run(argv, stdin=theirs.fileno(), check=True, timeout=10)
        self.pid = self.frame("p")

    def frame(self, kind: str) -> int:
        """The value of the next frame of this kind."""
        while True:
            data = self.client.recv(9, socket.MSG_WAITALL)
            assert len(data) == 9, "the keeper has closed the connection"
            if data[:1] == kind.encode():
                return int.from_bytes(data[1:], "big")

    def put(self, kind: str, payload: bytes, sock: socket.socket | None = None) -> None:
        (sock or self.client).sendall(kind.encode() + len(payload).to_bytes(4, "big") + payload)

    def output(self) -> bytes:
        return self.log.read(0, 1 << 30)[1]


@contextmanager
def keeper(root: Path, command: str, **more: str) -> Iterator[Kept]:
    kept = Kept(root, command, **more)
    try:
        yield kept
    finally:
        kept.client.close()
        end_keeper(kept.run)
        wait_until(lambda: not is_alive(kept.run))


def ended(kept: Kept) -> str:
    wait_until(lambda: not is_alive(kept.run), 20)
    return (kept.run / "exit.json").read_text()


def test_it_is_nobodys_child_and_leads_its_own_session(tmp_path: Path) -> None:
    with keeper(tmp_path, "exec sleep 60") as kept:
        fields = Path(f"/proc/{kept.pid}/stat").read_text().rpartition(")")[2].split()
        assert int(fields[1]) != os.getpid()
        assert os.getsid(kept.pid) != os.getsid(0)
        assert stat.S_IMODE((kept.run / "socket").stat().st_mode) == 0o600
        assert (kept.run / "lock").read_text() == str(kept.pid)


def test_the_end_is_recorded_and_nothing_stays(tmp_path: Path) -> None:
    with keeper(tmp_path, "echo last words; kill -SEGV $$") as kept:
        text = ended(kept)
        assert '"code": null, "signal": 11, "oom": false' in text
        assert kept.output() == b"last words\r\n"
        assert not (kept.run / "socket").exists()


def test_a_command_that_cannot_be_run_says_why_in_the_console(tmp_path: Path) -> None:
    with keeper(tmp_path, "true", cwd=str(tmp_path / "none")) as kept:
        assert '"code": 127' in ended(kept)
        assert b"can't start" in kept.output() and b"none" in kept.output()


def test_rotation_keeps_the_base_offset_and_bounds_the_size(tmp_path: Path) -> None:
    with keeper(tmp_path, "seq 20000; read x", segment="4096", segments="3") as kept:
        whole = "".join(f"{n}\r\n" for n in range(1, 20001)).encode()
        wait_until(lambda: kept.log.end == len(whole), what="all output")
        files = sorted(path.name for path in kept.log.directory.iterdir())
        assert len(files) == 3 and kept.log.start == int(files[0][:20])
        assert all(path.stat().st_size <= 4096 for path in kept.log.directory.iterdir())
        start, data = kept.log.read(0, len(whole))
        assert start == kept.log.start and data == whole[start:]


def test_a_new_keeper_goes_on_where_the_log_ended(tmp_path: Path) -> None:
    for text in ("one", "two"):
        with keeper(tmp_path, f"echo {text}") as kept:
            ended(kept)
    assert kept.output() == b"one\r\ntwo\r\n"


def test_news_come_in_batches_with_the_latest_end(tmp_path: Path) -> None:
    with keeper(tmp_path, "read x; seq 100000; read x") as kept:
        kept.put("i", b"go\n")
        news = 0
        while kept.frame("o") < 600_000:
            news += 1
        assert news < 5000


def test_garbage_only_costs_its_sender_the_connection(tmp_path: Path) -> None:
    with keeper(tmp_path, "read x; echo got $x; read x") as kept:
        for garbage in (b"i\xff\xff\xff\xffxxxx", b"\0\0\0\0\0" * 3, b"r\0\0\0\1x", b"s\0\0\0\3abc"):
            with connect(kept.run, "") as other:
                other.setblocking(True)
                other.sendall(garbage)
        kept.put("i", b"still here\n")
        wait_until(lambda: b"got still here" in kept.output())


def test_a_client_that_does_not_read_its_answers_is_dropped_and_nobody_else_waits(tmp_path: Path) -> None:
    with keeper(tmp_path, "stty -echo; echo ready; exec cat >/dev/null") as kept, connect(kept.run, "") as deaf:
        wait_until(lambda: b"ready" in kept.output())
        deaf.setblocking(True)
        deaf.settimeout(10)
        try:
            for _ in range(100_000):
                kept.put("i", b"", deaf)
        except (ConnectionError, TimeoutError) as error:
            assert isinstance(error, ConnectionError)
        kept.put("i", b"x\n")
        kept.frame("y")


def test_more_input_than_the_queue_holds_is_refused_not_lost(tmp_path: Path) -> None:
    with keeper(tmp_path, "stty -echo -icanon; echo ready; exec sleep 60") as kept:
        wait_until(lambda: b"ready" in kept.output())
        answers = []
        for _ in range(20):
            kept.put("i", b"x" * 60_000)
            kind = kept.client.recv(9, socket.MSG_WAITALL)[:1]
            answers += [kind] if kind != b"o" else []
        assert answers[0] == b"y" and answers[-1] == b"n"
        kept.put("k", b"")
        assert '"signal": 9' in ended(kept)


def test_a_full_disk_does_not_stop_the_game(tmp_path: Path) -> None:
    """The log's directory turns into one where nothing can be made, and comes back."""
    with keeper(tmp_path, "while read x; do echo got $x; echo $x >> seen; done", segment="32") as kept:
        kept.put("i", b"one\n")
        wait_until(lambda: b"got one" in kept.output())
        away = tmp_path / "away"
        kept.log.directory.rename(away)
        (tmp_path / "seen").touch()
        for number in range(10):
            kept.put("i", b"lost %d\n" % number)
            kept.frame("y")
        wait_until(lambda: "lost 9" in (tmp_path / "seen").read_text(), what="the game having said everything")
        for _ in range(2):
            # The answer to the second comes after what was there at the first has been read.
            kept.put("i", b"")
            kept.frame("y")
        assert is_alive(kept.run)
        away.rename(kept.log.directory)
        kept.put("i", b"two\n")
        wait_until(lambda: b"got two" in kept.output(), what="the log going on")
        assert b"bytes of output are missing here" in kept.output()


def test_the_watchdog_ends_what_takes_too_much_memory(tmp_path: Path) -> None:
    hog = "import time; x = bytearray(b'x' * 60_000_000); print('full', flush=True); time.sleep(60)"
    command = f'setsid {sys.executable} -c "{hog}" & wait'
    with keeper(tmp_path, command, watch_memory=str(40 * 1024 * 1024)) as kept:
        assert '"signal": 9, "oom": true' in ended(kept)
        assert b"full" in kept.output()


def test_memory_is_small(tmp_path: Path) -> None:
    """Its own pages: what it shares with other Pythons depends on what else runs."""
    with keeper(tmp_path, "exec sleep 60") as kept:
        figures = dict(line.split()[:2] for line in Path(f"/proc/{kept.pid}/smaps_rollup").read_text().splitlines()[1:])
        print("keeper kB:", {name: figures[name] for name in ("Pss:", "Private_Dirty:", "Rss:")})
        assert int(figures["Private_Dirty:"]) < 7000


def test_only_who_knows_the_key_is_obeyed(tmp_path: Path) -> None:
    with keeper(tmp_path, "read x; echo got $x; read x", key="right") as kept:
        for key in ("", "wrong", "right"):
            with connect(kept.run, key) as other:
                other.setblocking(True)
                kept.put("i", f"by {key or 'nobody'}\n".encode(), other)
                if key != "right":
                    kept.put("k", b"", other)
                    assert other.recv(9, socket.MSG_WAITALL)[:1] == b"p", "it is served, but not obeyed"
                else:
                    wait_until(lambda: b"got by right" in kept.output())
        assert b"nobody" not in kept.output() and b"wrong" not in kept.output()
