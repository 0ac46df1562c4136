"""What the servers' files take on disk: asked of the file system where it has quotas, else counted now and then."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from . import trees
from .disk_tree import DiskTree
from .quota import Quotas

log = logging.getLogger(__name__)

FRESH_FOR = 15.0
"""Seconds for which a count is good where the last one has found a change …"""
FRESH_FOR_LONGEST = 120.0
"""… up to these, doubled each time that nothing had changed: idle servers cost next to nothing."""
WITHIN = 1.0
"""Seconds to wait for a count that is under way."""
REST = 10.0
"""After a count nothing is counted for so many times as long: all counts together take at most a tenth of a core."""
LONGEST_REST = 5.0


@dataclass
class _Known:
    """A directory: bytes ``used``, None before the first count, as of ``at`` (seconds since the epoch)."""

    tree: DiskTree = field(default_factory=DiskTree)
    used: int | None = None
    at: float = 0.0
    good_for: float = FRESH_FOR
    task: asyncio.Task[None] | None = None


class DiskUsage:
    """Answers from memory, and counts again in the background what may have changed, one server at a time."""

    def __init__(self, quotas: Quotas | None = None) -> None:
        self._quotas = quotas
        self._known: dict[Path, _Known] = {}
        self._turn = asyncio.Lock()
        self._free_at = 0.0
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="stellar-disk")

    async def of(self, directory: Path, limit: int, changed_at: float = 0.0) -> int:
        """Bytes below ``directory`` as last counted; 0 while the first count takes long.

        ``limit`` in bytes, 0 for none, is what a quota holds it to. What was counted before ``changed_at`` (seconds
        since the epoch) is counted again.
        """
        used = await self.hold(directory, limit)
        if used is not None:
            return used
        known = self._known.setdefault(directory, _Known())
        if known.used is None or known.at < max(changed_at, time.time() - known.good_for):
            task = self._count_soon(directory, known)
            if known.used is None:
                await asyncio.wait({task}, timeout=WITHIN)
        return known.used or 0

    async def hold(self, directory: Path, limit: int) -> int | None:
        """Have the file system hold a directory to its limit, and say what it takes; None without quotas."""
        if self._quotas is None or self._quotas.problem:
            return None
        used = await asyncio.get_running_loop().run_in_executor(self._pool, self._quotas.used, directory, limit)
        if used is not None:
            self._known.setdefault(directory, _Known()).used = used
        return used

    async def again(self, directory: Path, limit: int) -> int:
        """As of now, counted again where that doesn't take long."""
        if directory in self._known:
            await asyncio.wait({self._count_soon(directory, self._known[directory])}, timeout=WITHIN)
        return await self.of(directory, limit)

    def last(self, directory: Path) -> int | None:
        """As last counted; None before that."""
        known = self._known.get(directory)
        return None if known is None else known.used

    def grown(self, directory: Path, by: int) -> None:
        """Bytes that somebody has just added; counted in until the next count."""
        known = self._known.get(directory)
        if known is not None and known.used is not None:
            known.used = max(0, known.used + by)

    def changed(self, directory: Path) -> None:
        """What was counted is old: somebody has just changed files."""
        if directory in self._known:
            self._known[directory].at = 0.0

    def forget(self, directory: Path) -> None:
        """The directory is about to be deleted."""
        if self._quotas is not None:
            self._quotas.release(directory)
        known = self._known.pop(directory, None)
        if known is not None and known.task is not None:
            known.task.cancel()

    def close(self) -> None:
        """Let go of the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _count_soon(self, directory: Path, known: _Known) -> asyncio.Task[None]:
        if known.task is None:
            known.task = asyncio.create_task(self._count(directory, known))
        return known.task

    async def _count(self, directory: Path, known: _Known) -> None:
        try:
            async with self._turn:
                await asyncio.sleep(self._free_at - time.monotonic())
                known.at, started = time.time(), time.monotonic()
                used = await asyncio.get_running_loop().run_in_executor(self._pool, _usage, known.tree, directory)
                self._free_at = time.monotonic() + min((time.monotonic() - started) * REST, LONGEST_REST)
        except OSError as error:
            log.warning("the disk use of %s can't be counted: %s", directory, error)
        else:
            known.good_for = min(known.good_for * 2, FRESH_FOR_LONGEST) if used == known.used else FRESH_FOR
            known.used = used
        finally:
            known.task = None


def _usage(tree: DiskTree, directory: Path) -> int:
    fd = os.open(directory, trees.DIRECTORY)
    try:
        return tree.count(fd)
    finally:
        os.close(fd)
