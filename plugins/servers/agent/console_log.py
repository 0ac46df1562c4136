"""Reading a server's console log: the whole output as one byte stream, kept in segments named by base offset.

The keeper writes it, and deletes the oldest segment when there are too many, at any time.
"""

from __future__ import annotations

import os
from pathlib import Path

SUFFIX = ".log"


class ConsoleLog:
    """The log in ``directory``, which need not exist yet. Offsets are bytes since the server's first output."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def start(self) -> int:
        """The oldest offset that is still kept."""
        bases = self._bases()
        return bases[0] if bases else 0

    @property
    def end(self) -> int:
        """One past the last byte written."""
        bases = self._bases()
        while bases:
            try:
                return bases[-1] + self._path(bases[-1]).stat().st_size
            except FileNotFoundError:
                bases = self._bases()
        return 0

    def read(self, after: int, limit: int) -> tuple[int, bytes]:
        """Up to ``limit`` bytes from offset ``after`` on, and the offset of the first of them.

        That offset is larger than ``after`` when the bytes between are no longer kept, and smaller when
        ``after`` lies behind the end.
        """
        while True:
            bases = self._bases()
            if not bases:
                return 0, b""
            try:
                return self._read(bases, max(after, bases[0], 0), limit)
            except FileNotFoundError:
                continue  # rotated away between listing and opening

    def _read(self, bases: list[int], start: int, limit: int) -> tuple[int, bytes]:
        first = max(index for index, base in enumerate(bases) if base <= start)
        at, parts = start, list[bytes]()
        for base in bases[first:]:
            if parts and (base != at or at - start >= limit):
                break
            if not parts:
                start = at = max(at, base)
            data = self._read_segment(base, at - base, limit - (at - start))
            if data:
                parts.append(data)
                at += len(data)
        return (start, b"".join(parts)) if parts else (min(start, self.end), b"")

    def _read_segment(self, base: int, position: int, limit: int) -> bytes:
        fd = os.open(self._path(base), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(fd, limit, position)
        finally:
            os.close(fd)

    def _path(self, base: int) -> Path:
        return self.directory / f"{base:020d}{SUFFIX}"

    def _bases(self) -> list[int]:
        try:
            names = os.listdir(self.directory)  # noqa: PTH208 (names only, many times a second)
        except FileNotFoundError:
            return []
        return sorted(int(name[: -len(SUFFIX)]) for name in names if name.endswith(SUFFIX) and name[:20].isdigit())
