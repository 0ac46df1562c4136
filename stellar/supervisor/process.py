"""A child process that is started again when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import partial

from .lifeline import die_with_parent

FIRST_DELAY = 0.5
MAX_DELAY = 30.0
HEALTHY_SECONDS = 30.0
"""A child that has run for so long starts again with the first delay."""


class Child:
    """One process of ours, in a process group of its own: Ctrl-C in the terminal reaches only the supervisor.

    It is killed with us, whatever ends us. Its standard output and error are one pipe, ``output``.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, keep_errors: bool = False
    ) -> None:
        self.name = name
        self.restart_at: float | None = None
        self._command = list(command)
        self._environment = dict(environment)
        self._errors = None if keep_errors else subprocess.STDOUT
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._delay = FIRST_DELAY

    @property
    def pid(self) -> int | None:
        """The running process."""
        return self._process.pid if self._process is not None else None

    @property
    def output(self) -> int:
        """The reading end of its output, non-blocking."""
        assert self._process is not None and self._process.stdout is not None
        return self._process.stdout.fileno()

    def start(self) -> None:
        """Start it now."""
        self.restart_at = None
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            process_group=0,
            preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - no other thread is running
        )
        os.set_blocking(self.output, False)

    def ended(self) -> int | None:
        """Its exit status (negative: a signal) once it has ended, else None."""
        return self._process.poll() if self._process is not None else None

    def close(self) -> None:
        """Forget the process that has ended."""
        assert self._process is not None and self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def schedule_restart(self) -> float:
        """Answers the seconds after which it is to be started again: half a second at first, then more and more."""
        now = time.monotonic()
        if now - self._started_at >= HEALTHY_SECONDS:
            self._delay = FIRST_DELAY
        delay, self._delay = self._delay, min(self._delay * 2, MAX_DELAY)
        self.restart_at = now + delay
        return delay

    def terminate(self) -> None:
        """Ask it to end."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, and all that is in its process group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
