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
from .handle import database, is_postgres

P = ParamSpec("P")
T = TypeVar("T")

SQLITE_THREADS = 2
POSTGRES_THREADS = 4

_pool: ThreadPoolExecutor | None = None
_threads = 0


def configure(threads: int) -> None:
    """Set the pool's size; 0 is the database's own good number."""
    global _threads
    _threads = threads
    close()


def close() -> None:
    """End the threads and their connections."""
    global _pool
    pool, _pool = _pool, None
    if pool is not None:
        pool.shutdown(wait=True)


async def call(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``fn`` in a database thread, in a copy of this context; its errors are raised here."""
    context = contextvars.copy_context()
    work = partial(context.run, _guarded, partial(fn, *args, **kwargs))
    return await asyncio.get_running_loop().run_in_executor(_executor(), work)


def _executor() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        size = _threads or (POSTGRES_THREADS if is_postgres() else SQLITE_THREADS)
        _pool = ThreadPoolExecutor(size, thread_name_prefix="db")
    return _pool


def _guarded(fn: Callable[[], T]) -> T:
    try:
        database.connect(reuse_if_open=True)
        return fn()
    except (peewee.OperationalError, peewee.InterfaceError) as error:
        if not database.is_closed():
            database.close()
        raise Unavailable("The database did not answer; try again in a moment.") from error
