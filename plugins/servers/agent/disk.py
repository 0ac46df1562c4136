"""What the servers' files take on disk, counted seldom and one server at a time, in a thread."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stellar.errors import DomainError

from .beneath import Root

log = logging.getLogger(__name__)

FRESH_FOR = 60.0
FIRST_ANSWER_WITHIN = 1.0


class DiskUsage:
    """Answers from memory, and counts again in the background what is older than ``FRESH_FOR`` seconds."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[float, int]] = {}
        self._counting: dict[Path, asyncio.Task[None]] = {}
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="stellar-disk")

    async def of(self, directory: Path, changed_at: float = 0.0) -> int:
        """Bytes below ``directory`` as last counted; 0 while the first count takes long.

        What was counted before ``changed_at`` (seconds since the epoch) is counted again.
        """
        counted = self._known.get(directory)
        if counted is None or counted[0] < max(changed_at, time.time() - FRESH_FOR):
            task = self._count_soon(directory)
            if counted is None:
                await asyncio.wait({task}, timeout=FIRST_ANSWER_WITHIN)
        return self._known.get(directory, (0.0, 0))[1]

    def grown(self, directory: Path, by: int) -> None:
        """Bytes that somebody has just added; counted in until the next count."""
        if directory in self._known:
            counted, used = self._known[directory]
            self._known[directory] = (counted, max(0, used + by))

    def forget(self, directory: Path) -> None:
        """The directory is gone."""
        self._known.pop(directory, None)

    def close(self) -> None:
        """Let go of the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _count_soon(self, directory: Path) -> asyncio.Task[None]:
        task = self._counting.get(directory)
        if task is None:
            task = self._counting[directory] = asyncio.create_task(self._count(directory))
        return task

    async def _count(self, directory: Path) -> None:
        began = time.time()
        try:
            used = await asyncio.get_running_loop().run_in_executor(self._pool, _usage, directory)
        except (OSError, DomainError) as error:
            log.warning("the disk use of %s can't be counted: %s", directory, error)
        else:
            self._known[directory] = (began, used)
        finally:
            del self._counting[directory]


def _usage(directory: Path) -> int:
    with Root(directory) as root:
        return root.usage()
