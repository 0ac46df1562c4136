"""The process's database handle and its transactions."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import peewee

from ..errors import SetupError

log = logging.getLogger(__name__)

database = peewee.DatabaseProxy()

SQLITE_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "normal",
    "foreign_keys": 1,
    "busy_timeout": 10_000,
    "cache_size": -4_000,
}


POSTGRES_OPTIONS = "-c random_page_cost=1.1 -c plan_cache_mode=force_generic_plan"
"""For a database that fits into memory: with the server's own guess, made for turning disks, pages of lists would be
found by reading whole tables. Statements are prepared where they have one good plan (``compiled.py``)."""


class Model(peewee.Model):
    """The base of every table."""

    class Meta:
        database = database
        legacy_table_names = False


def connect(url: str) -> None:
    """Set the handle for ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST:PORT/NAME``; connects lazily."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = Path(unquote(parts.path))
        _create_private(path)
        database.initialize(peewee.SqliteDatabase(str(path), pragmas=SQLITE_PRAGMAS))
    elif parts.scheme in ("postgres", "postgresql"):
        options: dict[str, Any] = {} if "options" in parse_qs(parts.query) else {"options": POSTGRES_OPTIONS}
        database.initialize(peewee.PostgresqlDatabase(url.replace("postgres://", "postgresql://", 1), **options))
    else:
        raise SetupError("database.url has to begin with sqlite:/// or postgresql://.")


def _create_private(path: Path) -> None:
    """SQLite gives its other files the mode of the first; what can't be made is reported when it is opened."""
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def check() -> None:
    """Connect, or raise a ``SetupError`` that says what to do."""
    try:
        database.connect(reuse_if_open=True)
        database.execute_sql("select 1")
    except peewee.PeeweeException as error:
        where = "PostgreSQL (database.url)" if is_postgres() else f"the SQLite file {Path(str(database.database))}"
        reason = str(error).strip().splitlines()[0]
        raise SetupError(f"{where} can't be opened: {reason}.") from None


def disconnect() -> None:
    """Close this thread's connection, if it has one."""
    if database.obj is not None and not database.is_closed():
        database.close()


def is_postgres() -> bool:
    """Whether the handle is PostgreSQL's."""
    return isinstance(database.obj, peewee.PostgresqlDatabase)


def is_away(error: BaseException) -> bool:
    """Whether an error is of a database that can't be reached, and not of what it was asked.

    Where PostgreSQL ends abruptly, psycopg2 may say so with the plain base class.
    """
    if isinstance(error, peewee.OperationalError | peewee.InterfaceError):
        return True
    return type(error) is peewee.DatabaseError and is_postgres()


@contextmanager
def write_tx() -> Iterator[None]:
    """A transaction that reads, then writes: SQLite takes its write lock at once, so that it can't fail half-way."""
    if is_postgres():
        with database.atomic():
            yield
        return
    with database.atomic("IMMEDIATE"):
        yield


def after_commit(fn: Callable[[], object]) -> None:
    """Call ``fn`` once the open transaction has committed, or now if none is open.

    What ``fn`` raises is logged: the commit can't be undone any more.
    """

    def guarded() -> None:
        try:
            fn()
        except Exception:
            log.exception("a step after the commit failed")

    if database.in_transaction():
        database.after_commit(guarded)
    else:
        fn()
