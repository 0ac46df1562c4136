"""A look at /proc: which processes belong together, and what they use."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

FRESH_SECONDS = 0.9
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
WRAPPER = "bwrap"


@dataclass(frozen=True)
class Entry:
    """One process; ``seconds`` is its CPU time."""

    parent: int
    name: str
    zombie: bool
    seconds: float


class _Snapshot:
    """All processes, read at most once in ``FRESH_SECONDS``, however many servers ask."""

    def __init__(self) -> None:
        self.at = float("-inf")
        self.entries: dict[int, Entry] = {}
        self.children: dict[int, list[int]] = {}

    def refresh(self, fresh: float = FRESH_SECONDS) -> None:
        """Read again where it is older than so many seconds."""
        now = time.monotonic()
        if now - self.at < fresh:
            return
        found = {pid: entry for pid in pids() if (entry := _entry(pid))}
        children: dict[int, list[int]] = {}
        for pid, entry in found.items():
            children.setdefault(entry.parent, []).append(pid)
        self.at, self.entries, self.children = now, found, children


_snapshot = _Snapshot()


class Usage:
    """CPU and memory of everything below one process, from one call to the next."""

    def __init__(self, started_at: float) -> None:
        self._at = time.monotonic() - max(time.time() - started_at, 0.001)
        self._seconds: dict[int, float] = {}
        self._percent = 0.0
        self._fresh = float("-inf")
        self._io = (0, 0)

    def measure(self, root: int) -> tuple[float, int, int]:
        """CPU in percent of one core since the last call, bytes of memory, number of processes; without ``root``."""
        _snapshot.refresh()
        if not _at_work(descendants(root)):
            _snapshot.refresh(0.0)
        below = descendants(root)
        if _snapshot.at != self._fresh:
            seconds = {pid: _snapshot.entries[pid].seconds for pid in below}
            spent = sum(max(value - self._seconds.get(pid, 0.0), 0.0) for pid, value in seconds.items())
            self._percent = round(100 * spent / max(_snapshot.at - self._at, 0.001), 1)
            self._seconds, self._at, self._fresh = seconds, _snapshot.at, _snapshot.at
        return self._percent, sum(_private_memory(pid) for pid in below), _at_work(below)

    def io(self, root: int) -> tuple[int, int] | None:
        """Bytes that ``root`` and everything below it has read from and written to disks, as of the last ``measure``.

        A process counts what the children that it has waited for did, so ``root`` belongs to it. None where the kernel
        doesn't tell.
        """
        try:
            found = [_disk_io(pid) for pid in (root, *descendants(root))]
        except PermissionError:
            return None
        # A process that ends is for a moment counted by nobody: a total never shrinks.
        read, written = (sum(one) for one in zip(*found, strict=True))
        self._io = max(self._io[0], read), max(self._io[1], written)
        return self._io


def _at_work(found: list[int]) -> int:
    """How many of them are the game's own; none while what has just begun is younger than the snapshot."""
    return sum(1 for pid in found if not (entry := _snapshot.entries[pid]).zombie and entry.name != WRAPPER)


def below(root: int) -> list[int]:
    """Everything below ``root`` now, or nearly so."""
    _snapshot.refresh()
    return descendants(root)


def descendants(root: int) -> list[int]:
    """Everything below ``root`` in the last snapshot."""
    found: list[int] = []
    waiting = [root]
    while waiting:
        children = _snapshot.children.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def pids() -> list[int]:
    """Every process that this one may see."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 (names only)


def uid(pid: int) -> int | None:
    """A process's real user; None when it is gone."""
    for line in _read(pid, "status").splitlines():
        if line.startswith(b"Uid:"):
            return int(line.split()[1])
    return None


def is_zombie(pid: int) -> bool:
    """Whether it has ended, or is gone."""
    entry = _entry(pid)
    return entry is None or entry.zombie


def environ(pid: int) -> bytes:
    """The environment that a process started with, NUL-separated; empty where it can't be read."""
    return _read(pid, "environ")


def _private_memory(pid: int) -> int:
    fields = _read(pid, "statm").split()
    return (int(fields[1]) - int(fields[2])) * PAGE if fields else 0


def _disk_io(pid: int) -> tuple[int, int]:
    """Bytes read and written; none for a process that is gone. ``PermissionError`` where that isn't told."""
    try:
        with open(f"/proc/{pid}/io", "rb") as stream:  # noqa: PTH123 (many times a second)
            counts = dict(line.split(b": ") for line in stream)
    except PermissionError:
        raise
    except OSError:
        return 0, 0
    return int(counts[b"read_bytes"]), int(counts[b"write_bytes"])


def _entry(pid: int) -> Entry | None:
    head, _, tail = _read(pid, "stat").rpartition(b") ")
    if not head:
        return None
    fields = tail.split()
    name = head.partition(b"(")[2].decode(errors="replace")
    return Entry(int(fields[1]), name, fields[0] in (b"Z", b"X"), (int(fields[11]) + int(fields[12])) / TICKS)


def _read(pid: int, file: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{file}", "rb") as stream:  # noqa: PTH123 (many times a second)
            return stream.read()
    except OSError:
        return b""
