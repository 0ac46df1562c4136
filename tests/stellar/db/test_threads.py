"""Threads that services are called in: reads have their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar

import peewee
import pytest

from stellar.db import call, connect, database, disconnect, is_postgres, read, threads
from stellar.errors import NotFound, Unavailable

here: ContextVar[str] = ContextVar("here", default="")


@pytest.fixture(autouse=True)
def pools(database_url: str) -> Iterator[None]:
    """Threads of the database's own number."""
    connect(database_url)
    threads.configure(0)
    yield
    threads.configure(0)
    disconnect()


async def test_reads_do_not_wait_for_what_takes_long() -> None:
    gate = threading.Event()
    waiting = [asyncio.create_task(call(gate.wait, 60)) for _ in range(2 * threads.POSTGRES_THREADS)]
    await asyncio.sleep(0)
    answered = await asyncio.wait_for(read(lambda: database.execute_sql("select 7").fetchone()[0]), 30)
    assert (answered, any(task.done() for task in waiting)) == (7, False)
    gate.set()
    assert all(await asyncio.gather(*waiting))


async def test_context_goes_along_and_errors_come_back() -> None:
    here.set("request 1")

    def fail() -> None:
        raise NotFound("There is none.")

    for run in (call, read):
        assert await run(here.get) == "request 1"
        with pytest.raises(NotFound):
            await run(fail)
        with pytest.raises(Unavailable):
            await run(lose)
        assert await run(lambda: database.execute_sql("select 7").fetchone()[0]) == 7


async def test_a_database_that_ends_abruptly_did_not_answer() -> None:
    """What psycopg2 raises where the server closes the connection under a statement; in SQLite it is of the file."""
    plain = Unavailable if is_postgres() else peewee.DatabaseError
    for raised, expected in ((peewee.DatabaseError, plain), (peewee.IntegrityError, peewee.IntegrityError)):

        def fail(raised: type[Exception] = raised) -> None:
            raise raised("server closed the connection unexpectedly")

        with pytest.raises(expected):
            await call(fail)
    assert await call(lambda: database.execute_sql("select 7").fetchone()[0]) == 7


def lose() -> None:
    """As when the database has gone away."""
    database.connection().close()
    raise peewee.OperationalError("gone")
