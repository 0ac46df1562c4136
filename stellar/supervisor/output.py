"""The children's lines, merged into our own output."""

from __future__ import annotations

import contextlib
import os
import sys

COLOURS = {"valkey": 35, "web": 36, "worker": 33, "agent": 32}
MAX_LINE = 64 * 1024
IGNORED = (
    b"WARNING Memory overcommit must be enabled",
    b"Received SIGTERM scheduling shutdown",
    b"is now ready to exit, bye bye",
)
"""What Valkey warns of without need: it hardly ever forks to save here, and is told to stop by us."""


class Output:
    """Writes whole lines to stdout, each with its child's name."""

    def __init__(self) -> None:
        self._partial: dict[str, bytes] = {}
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def say(self, text: str) -> None:
        """A line of our own."""
        self._write(text.encode() + b"\n")

    def feed(self, name: str, data: bytes) -> None:
        """What a child has written; lines are passed on when they are complete (or 64 KiB long)."""
        *lines, rest = (self._partial.pop(name, b"") + data).split(b"\n")
        if len(rest) > MAX_LINE:
            lines, rest = [*lines, rest], b""
        if rest:
            self._partial[name] = rest
        if kept := [self._prefix(name) + line + b"\n" for line in lines if not any(part in line for part in IGNORED)]:
            self._write(b"".join(kept))

    def end(self, name: str) -> None:
        """A child is gone: pass on a last line that it hasn't ended."""
        if name in self._partial:
            self.feed(name, b"\n")

    def _prefix(self, name: str) -> bytes:
        label = f"{name:<6} | "
        return (f"\033[{COLOURS.get(name, 37)}m{label}\033[0m" if self._colour else label).encode()

    def _write(self, data: bytes) -> None:
        # Whoever read our output may be gone; that must not stop what we supervise.
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
