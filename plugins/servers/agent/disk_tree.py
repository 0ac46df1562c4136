"""What a tree takes on disk, counted again without looking at every file each time.

Of each directory the sum of its files is remembered. A pass stats every directory, and looks at the files of those
that have changed (their modification time tells of names that came and went), of those that have grown lately, and of
some of the others, so that all have had their turn after a few passes: what has grown within a file is seen then. A
tree with few files is counted whole in each pass.

The walk is by descriptors, without following a link or trusting a name twice: see ``trees``.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress

from . import trees

ENTRIES = 10_000
"""Files looked at in one pass, about 30 ms, for what has changed and again for the rest; besides what is new."""
DIRECTORIES = 2000
"""Directories remembered of one tree, about 400 bytes each; one with more below it is counted whole, as are
directories deeper than ``DEPTH``, since each level of the walk holds a descriptor."""
DEPTH = 64
LINKS = 10_000
"""Files with several names that are remembered, to count each once; any more are counted once for each name."""
SETTLED = 2_000_000_000
"""Nanoseconds: a directory changed later than so long before it was looked at may have changed again unseen."""

Identity = tuple[int, int]


class _Directory:
    """One directory. ``inner`` is None for one that is counted whole, with everything below; ``changed`` -1: new."""

    __slots__ = ("changed", "entries", "hot", "identity", "inner", "links", "own", "turn")

    def __init__(self, identity: Identity, *, whole: bool) -> None:
        self.identity = identity
        self.changed = -1
        self.turn = -1
        self.hot = True
        self.own = 0
        self.entries = 0
        self.links: dict[Identity, int] = {}
        self.inner: dict[bytes, _Directory | None] | None = None if whole else {}


class DiskTree:
    """One tree; use it from one thread at a time."""

    def __init__(self, entries: int = ENTRIES, directories: int = DIRECTORIES) -> None:
        self._allowed = entries
        self._most = directories
        self._known = 0
        self._links = 0
        self._turn = 0
        self._left = self._left_for_changed = 0
        self._skipped = False
        self._total = 0
        self._shared: dict[Identity, int] = {}
        self._top: _Directory | None = None

    def count(self, top: int) -> int:
        """Bytes of everything below the directory ``top`` (a descriptor), each file once; ``OSError``."""
        self._left = self._left_for_changed = self._allowed
        self._skipped, self._total, self._shared = False, 0, {}
        self._top = self._visit(top, self._top, 0)
        if not self._skipped:
            self._turn += 1
        return self._total + sum(self._shared.values())

    def _visit(self, fd: int, known: _Directory | None, depth: int) -> _Directory:
        status = os.fstat(fd)
        identity = (status.st_dev, status.st_ino)
        if known is None or known.identity != identity:
            if known is not None:
                self._forget(known)
            known = _Directory(identity, whole=depth >= DEPTH)
        if self._due(known, status.st_mtime_ns):
            self._look(fd, known, status.st_mtime_ns)
        self._total += known.own + status.st_blocks * 512
        self._shared.update(known.links)
        for name, inner in list((known.inner or {}).items()):
            self._descend(fd, known, name, inner, depth)
        return known

    def _descend(self, fd: int, above: _Directory, name: bytes, known: _Directory | None, depth: int) -> None:
        assert above.inner is not None
        try:
            inner = os.open(name, trees.DIRECTORY, dir_fd=fd)
        except OSError:
            if known is not None:
                self._forget(known)
            above.inner[name] = None
            return
        try:
            above.inner[name] = self._visit(inner, known, depth + 1)
        finally:
            os.close(inner)

    def _due(self, known: _Directory, changed: int) -> bool:
        if known.changed < 0:
            return True
        if (known.hot or known.changed != changed) and self._left_for_changed > 0:
            self._left_for_changed -= known.entries
            return True
        if known.turn == self._turn:
            return False
        if self._left <= 0:
            self._skipped = True
            return False
        self._left -= known.entries
        return True

    def _look(self, fd: int, known: _Directory, changed: int) -> None:
        """Look at a directory's files."""
        before = None if known.changed < 0 else known.own + sum(known.links.values())
        if known.inner is not None:
            self._measure(fd, known, known.inner)
        if known.inner is None:
            # Its own blocks are added with those of every other directory.
            known.own, known.entries = trees.usage(fd) - os.fstat(fd).st_blocks * 512, self._allowed
        recent = time.time_ns() - changed < SETTLED
        known.hot = recent or before not in (None, known.own + sum(known.links.values()))
        known.changed, known.turn = changed, self._turn

    def _measure(self, fd: int, known: _Directory, inner: dict[bytes, _Directory | None]) -> None:
        self._links -= len(known.links)
        known.own, known.entries, known.links = 0, 1, {}
        found = set()
        with os.scandir(fd) as listed:
            for entry in listed:
                known.entries += 1
                with suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        found.add(os.fsencode(entry.name))
                    elif status.st_nlink == 1 or self._links + len(known.links) >= LINKS:
                        known.own += status.st_blocks * 512
                    else:
                        known.links[status.st_dev, status.st_ino] = status.st_blocks * 512
        self._links += len(known.links)
        for name in inner.keys() - found:
            self._known -= 1
            if (gone := inner.pop(name)) is not None:
                self._forget(gone)
        fresh = found - inner.keys()
        if self._known + len(fresh) > self._most:
            self._count_whole(known)
        else:
            self._known += len(fresh)
            inner.update(dict.fromkeys(fresh))

    def _count_whole(self, known: _Directory) -> None:
        """From now on, instead of remembering what is in it."""
        self._forget(known)
        known.inner, known.links = None, {}

    def _forget(self, known: _Directory) -> None:
        """What is in it isn't there any more."""
        waiting = [known]
        while waiting:
            gone = waiting.pop()
            inner = gone.inner or {}
            self._known -= len(inner)
            self._links -= len(gone.links)
            waiting += [one for one in inner.values() if one is not None]
