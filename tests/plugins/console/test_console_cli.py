"""``stellar server console``: in a terminal, in a pipe, and across a restart of the node's agent."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cli_parts import COMMAND, CliPanel
from product import COUNTER, EMAIL

from stellar.testing.waiting import wait_until

ECHO = "START_COMMAND=while read -r x; do echo heard $x; done"
SIZE = "START_COMMAND=stty size; trap 'stty size' WINCH; while :; do sleep 0.1; done"


class Shown:
    """A console command and everything that it prints."""

    def __init__(self, process: subprocess.Popen[bytes], output: int, typed: int) -> None:
        self.process = process
        self.output = b""
        self._typed = typed
        self._thread = threading.Thread(target=self._read, args=(output,), daemon=True)
        self._thread.start()

    def type(self, keys: bytes) -> None:
        """Press keys, or write to the pipe."""
        os.write(self._typed, keys)

    def says(self, text: str) -> None:
        """Wait for a text."""
        wait_until(lambda: text.encode() in self.output, 30, f"{text!r} on the console")

    def ends(self) -> int:
        """The exit code."""
        return self.process.wait(20)

    def _read(self, output: int) -> None:
        while True:
            try:
                data = os.read(output, 65536)
            except OSError:
                return
            if not data:
                return
            self.output += data


@contextmanager
def in_terminal(panel: CliPanel, server: str, *options: str) -> Iterator[Shown]:
    """The console in a terminal of 100 columns and 30 lines."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    shown = Shown(_started(panel, server, options, theirs, theirs), ours, ours)
    try:
        yield shown
    finally:
        shown.process.kill()
        shown.process.wait()
        os.close(theirs)
        os.close(ours)


@contextmanager
def in_pipe(panel: CliPanel, server: str, *options: str) -> Iterator[Shown]:
    """The console between two pipes."""
    typed_end, typing = os.pipe()
    reading, output_end = os.pipe()
    process = _started(panel, server, options, typed_end, output_end)
    os.close(typed_end)
    os.close(output_end)
    shown = Shown(process, reading, typing)
    try:
        yield shown
    finally:
        process.kill()
        process.wait()
        os.close(typing)


def _started(
    panel: CliPanel, server: str, options: tuple[str, ...], given: int, output: int
) -> subprocess.Popen[bytes]:
    command = [*COMMAND, "server", "console", server, *options, "--data", str(panel.product.data)]
    return subprocess.Popen(
        command, env=panel.product.environment, stdin=given, stdout=output, stderr=output, start_new_session=True
    )


@pytest.fixture
def server(cli_panel: CliPanel) -> Iterator[Callable[[str], dict[str, Any]]]:
    """Makes running servers."""
    made: list[str] = []

    def make(start: str) -> dict[str, Any]:
        found: dict[str, Any] = cli_panel.json(
            "server", "create", "Console", "--blueprint", "generic", "--owner", EMAIL, "-v", start
        )
        made.append(found["id"])
        wait_until(lambda: _state(cli_panel, found["id"]) == "offline", 30, "the server being installed")
        cli_panel.ok("server", "power", found["id"], "start")
        wait_until(lambda: _state(cli_panel, found["id"]) == "running", 30, "the server running")
        return found

    yield make
    for server_id in made:
        cli_panel.ok("server", "delete", server_id, "--yes")


def _state(panel: CliPanel, server_id: str) -> str:
    return str(panel.json("server", "show", server_id)["state"])


def test_keys_go_to_the_game_and_ctrl_bracket_leaves(cli_panel: CliPanel, server: Any) -> None:
    made = server(ECHO)
    with in_terminal(cli_panel, made["short_id"]) as shown:
        shown.says("Ctrl-] to leave")
        shown.type(b"first\r")
        shown.says("heard first")
        shown.type(b"secomd\x7f\x7fnd\r")
        shown.says("heard second")
        shown.type(b"\x1d")
        assert shown.ends() == 0
    assert _state(cli_panel, made["id"]) == "running"
    assert [line for line in cli_panel.audited("server.console") if line["target_id"] == made["id"]]


def test_the_terminal_is_as_before_when_it_ends(cli_panel: CliPanel, server: Any) -> None:
    made = server(ECHO)
    with in_terminal(cli_panel, made["id"]) as shown:
        shown.says("Ctrl-] to leave")
        assert not termios.tcgetattr(shown._typed)[3] & termios.ICANON
        shown.process.send_signal(signal.SIGTERM)
        assert shown.ends() == 0
        assert termios.tcgetattr(shown._typed)[3] & termios.ICANON


def test_ctrl_c_is_the_games(cli_panel: CliPanel, server: Any) -> None:
    made = server("START_COMMAND=trap 'echo interrupted' INT; while :; do sleep 0.1; done")
    with in_terminal(cli_panel, made["id"]) as shown:
        shown.says("Ctrl-] to leave")
        shown.type(b"\x03")
        shown.says("interrupted\r\n")
        assert shown.process.poll() is None


def test_the_game_learns_the_size(cli_panel: CliPanel, server: Any) -> None:
    made = server(SIZE)
    with in_terminal(cli_panel, made["id"]) as shown:
        shown.says("30 100")
        fcntl.ioctl(shown._typed, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        shown.process.send_signal(signal.SIGWINCH)
        shown.says("40 120")


def test_in_a_pipe(cli_panel: CliPanel, server: Any) -> None:
    made = server(ECHO)
    with in_pipe(cli_panel, made["id"]) as shown:
        shown.type(b"one\ntwo\n")
        shown.says("heard one")
        shown.says("heard two")
        shown.process.send_signal(signal.SIGINT)
        assert shown.ends() == 0
    with in_pipe(cli_panel, made["id"], "--no-input") as shown:
        shown.says("heard two")
        shown.type(b"three\n")
        cli_panel.ok("server", "command", made["id"], "four")
        shown.says("heard four")
        assert b"heard three" not in shown.output
        shown.process.send_signal(signal.SIGTERM)
        assert shown.ends() == 0


def test_typing_to_a_server_that_is_off_is_said(cli_panel: CliPanel, server: Any) -> None:
    made = server(ECHO)
    cli_panel.ok("server", "power", made["id"], "kill")
    wait_until(lambda: _state(cli_panel, made["id"]) == "offline", 20, "the server being off")
    code, _, err = cli_panel.run("server", "console", made["id"], given="hello\n")
    assert code == 1 and "start the server first" in err
    assert "no such server" in cli_panel.refused("server", "console", "nope")


def test_without_a_panel_there_is_nothing_to_show(cli_panel: CliPanel, server: Any) -> None:
    product, made = cli_panel.product, server(ECHO)
    command = [*COMMAND, "server", "console", made["id"], "--data", str(product.data)]
    away = {**product.environment, "STELLAR_REDIS_URL": f"unix://{product.data}/away.sock"}
    done = subprocess.run(
        command, check=False, env=away, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout) == (1, "") and "start it with `stellar run`" in done.stderr, done


def test_nothing_is_lost_when_the_node_goes_and_comes_back(cli_panel: CliPanel, server: Any) -> None:
    made = server(f"START_COMMAND=exec bash -c '{COUNTER}'")
    with in_pipe(cli_panel, made["id"], "--no-input") as shown:
        shown.says("line 20\r\n")
        os.kill(cli_panel.product.child("agent"), signal.SIGKILL)
        count = len(re.findall(rb"line \d+\r", shown.output))
        shown.says(f"line {count + 300}\r\n")
        numbers = [int(found) for found in re.findall(rb"line (\d+)\r", shown.output)]
    assert numbers == list(range(1, len(numbers) + 1))
