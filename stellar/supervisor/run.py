"""``stellar run``: Valkey, then the preparation, then web, then worker and agent.

Plain ``select`` without asyncio or threads: this process stays small, and forks safely.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from ..errors import SetupError
from . import valkey
from .address import answers, check_free
from .lock import single_instance
from .output import Output
from .process import Child

if TYPE_CHECKING:
    from types import FrameType

    from ..config import Config

START_SECONDS = 60.0
PROBE_EVERY = 0.05
LAST_READS = 64
"""Reads of an ended child's output: something that it has started may still hold the pipe, and write."""

STOP_SECONDS = {"prepare": 1.0, "agent": 2.5, "worker": 2.5, "web": 1.5, "valkey": 0.8}
"""After which a child that doesn't stop is killed; the stages together stay below 5 s."""
PROGRAM = (sys.executable, "-P", "-m", "stellar")
"""Our own commands. -P: a file in the current directory must not take the place of one of our modules."""

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(1024 * 1024)}
"""Bytes. glibc raises it by itself, and then keeps the 19 MiB that a password's hash takes for the next one."""

STAGES = (("prepare", "agent", "worker"), ("web",), ("valkey",))


class Prepared(msgspec.Struct):
    """What ``stellar prepare`` prints."""

    setup_url: str | None = None


def run(config: Config, program: Sequence[str] = PROGRAM) -> int:
    """Run this machine's processes until SIGTERM, SIGINT or SIGHUP; the exit code.

    ``program`` is the command line of ``stellar``. ``SetupError`` where it can't start: another instance, a busy
    port, no Redis server, or a process that ends while it starts.
    """
    with single_instance(config.data):
        check_free(config.web.host, config.web.port)
        embedded = valkey.command(config) if config.redis_embedded else None
        with Supervisor(config, program, embedded) as supervisor:
            return supervisor.run()


class Supervisor:
    """The children and the loop that watches them."""

    def __init__(self, config: Config, program: Sequence[str], valkey_command: list[str] | None) -> None:
        self._config = config
        self._program = program
        self._output = Output()
        self._children: dict[str, Child] = {}
        self._readers: dict[int, Callable[[bytes], None]] = {}
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._stop_signals = 0
        self._environment = {
            **ALLOCATOR,
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "STELLAR_WEB_HOST": config.web.host,
            "STELLAR_WEB_PORT": str(config.web.port),
        }
        self._valkey_command = valkey_command

    def __enter__(self) -> Supervisor:
        for end in (self._wake, self._woken):
            end.setblocking(False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # nohup has us ignore SIGHUP, and means it.
            if signal.getsignal(number) != signal.SIG_IGN or number != signal.SIGHUP:
                signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def run(self) -> int:
        """Start, watch, and answer the exit code; the children are stopped by ``__exit__``."""
        if not self._start():
            return 0 if self._stop_signals else 1
        while not self._stop_signals:
            self._poll(self._until_restart())
            self._restart_ended()
            self._start_due()
        self._output.say("Stopping. Game servers keep running.")
        return 0

    def _on_stop_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop_signals += 1

    def _start(self) -> bool:
        if self._valkey_command is not None:
            self._add(Child("valkey", self._valkey_command, self._environment))
        prepared = self._prepare()
        if prepared is None:
            return False
        self._add(self._own("web"))
        if not self._wait_for_web():
            return False
        self._add(self._own("worker"))
        self._add(self._own("agent"))
        self._output.say(f"Stellar is ready: {self._config.public_url}")
        if prepared.setup_url:
            self._output.say(f"Make the first account here (the link works once): {prepared.setup_url}")
        return True

    def _own(self, command: str, *, keep_errors: bool = False) -> Child:
        line = [*self._program, command, "--data", str(self._config.data)]
        return Child(command, line, self._environment, keep_errors=keep_errors)

    def _prepare(self) -> Prepared | None:
        """Bring database and local node up to date; None when that failed (it has said why) or we were stopped."""
        child = self._own("prepare", keep_errors=True)
        said: list[bytes] = []
        self._add(child, said.append)
        while (status := child.ended()) is None and not self._stop_signals:
            self._poll(1.0)
            self._fail_if_ended("valkey")
        if status is None:
            return None
        self._collect(child)
        del self._children[child.name]
        if status < 0:
            raise SetupError(f"The preparation was ended by signal {-status}.")
        if status > 0:
            return None
        return msgspec.json.decode(b"".join(said), type=Prepared)

    def _wait_for_web(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while not self._stop_signals:
            if answers(self._config.web.host, self._config.web.port):
                return True
            self._fail_if_ended("web")
            self._fail_if_ended("valkey")
            if time.monotonic() > deadline:
                raise SetupError(f"The web process did not answer within {START_SECONDS:g} s; see its messages above.")
            self._poll(PROBE_EVERY)
        return False

    def _fail_if_ended(self, name: str) -> None:
        child = self._children.get(name)
        if child is not None and child.ended() is not None:
            self._collect(child)
            raise SetupError(f"The {name} process ended while it was starting; its messages above say why.")

    def _add(self, child: Child, reader: Callable[[bytes], None] | None = None) -> None:
        self._children[child.name] = child
        try:
            self._launch(child, reader)
        except OSError as error:
            raise SetupError(f"The {child.name} process can't be started: {error}.") from None

    def _launch(self, child: Child, reader: Callable[[bytes], None] | None = None) -> None:
        child.start()
        self._readers[child.output] = reader or (lambda data: self._output.feed(child.name, data))
        self._selector.register(child.output, selectors.EVENT_READ)

    def _poll(self, timeout: float) -> None:
        """Pass on output until something happens or the time is over."""
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._wake:
                with contextlib.suppress(BlockingIOError):
                    self._wake.recv(4096)
            elif isinstance(key.fileobj, int) and self._read(key.fileobj) == 0:
                self._unregister(key.fileobj)

    def _read(self, descriptor: int) -> int | None:
        """Pass on what can be read; 0 at the end of the output, None when there is nothing now."""
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return None
        if data:
            self._readers[descriptor](data)
        return len(data)

    def _unregister(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        del self._readers[descriptor]

    def _collect(self, child: Child) -> None:
        """Take the last output of a child that has ended, and forget its process."""
        if child.output in self._readers:
            for _ in range(LAST_READS):
                if not self._read(child.output):
                    break
            self._unregister(child.output)
        self._output.end(child.name)
        child.close()

    def _restart_ended(self) -> None:
        for child in list(self._children.values()):
            status = child.ended()
            if status is None:
                continue
            delay = child.schedule_restart()
            self._collect(child)
            how = f"signal {-status}" if status < 0 else f"exit code {status}"
            self._output.say(f"The {child.name} process ended ({how}); starting it again in {delay:g} s.")

    def _until_restart(self) -> float:
        waits = [child.restart_at for child in self._children.values() if child.restart_at is not None]
        return max(0.0, min(waits) - time.monotonic()) if waits else 60.0

    def _start_due(self) -> None:
        for child in self._children.values():
            if child.restart_at is not None and child.restart_at <= time.monotonic():
                self._relaunch(child)

    def _relaunch(self, child: Child) -> None:
        try:
            self._launch(child)
        except OSError as error:
            delay = child.schedule_restart()
            self._output.say(f"The {child.name} process can't be started ({error}); trying again in {delay:g} s.")

    def _stop(self) -> None:
        for stage in STAGES:
            self._stop_stage([self._children[name] for name in stage if name in self._children])

    def _stop_stage(self, children: list[Child]) -> None:
        started = time.monotonic()
        for child in children:
            child.terminate()
        while running := [child for child in children if child.pid is not None]:
            for child in running:
                late = time.monotonic() - started >= STOP_SECONDS[child.name]
                if child.ended() is not None:
                    self._collect(child)
                elif late or self._stop_signals > 1:
                    child.kill()
            self._poll(0.05)
