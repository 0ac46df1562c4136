"""Sync services called from async code: a bounded pool whose threads keep their connections."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

import peewee

from ..errors import Unavailable
from .handle import database, is_away, is_postgres

P = ParamSpec("P")
T = TypeVar("T")

SQLITE_THREADS = 2
POSTGRES_THREADS = 4
SQLITE_READERS = 1
"""Its reads are over before another thread could have begun: more would only fight for the interpreter."""
POSTGRES_READERS = 2

_pool: ThreadPoolExecutor | None = None
_readers: ThreadPoolExecutor | None = None
_threads = 0


def configure(threads: int) -> None:
    """Set the pool's size; 0 is the database's own good number."""
    global _threads
    _threads = threads
    close()


def close() -> None:
    """End the threads and their connections."""
    global _pool, _readers
    pools, _pool, _readers = (_pool, _readers), None, None
    for pool in pools:
        if pool is not None:
            pool.shutdown(wait=True)


async def call(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``fn`` in a database thread, in a copy of this context; its errors are raised here."""
    return await _run(_executor(), partial(fn, *args, **kwargs))


async def read(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``call`` for what only reads, quickly, and waits for nothing else: never behind anything that may take long."""
    return await _run(_reading_executor(), partial(fn, *args, **kwargs))


async def _run(pool: ThreadPoolExecutor, fn: Callable[[], T]) -> T:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(pool, context.run, _guarded, fn)


def _executor() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        size = _threads or (POSTGRES_THREADS if is_postgres() else SQLITE_THREADS)
        _pool = ThreadPoolExecutor(size, thread_name_prefix="db")
    return _pool


def _reading_executor() -> ThreadPoolExecutor:
    global _readers
    if _readers is None:
        size = POSTGRES_READERS if is_postgres() else SQLITE_READERS
        _readers = ThreadPoolExecutor(size, thread_name_prefix="db-read")
    return _readers


def _guarded(fn: Callable[[], T]) -> T:
    try:
        database.connect(reuse_if_open=True)
        return fn()
    except peewee.PeeweeException as error:
        if not is_away(error):
            raise
        if not database.is_closed():
            database.close()
        raise Unavailable("The database did not answer; try again in a moment.") from error
