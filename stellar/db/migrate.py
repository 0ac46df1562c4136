"""Migrations: one directory and one history table per plugin, applied under a lock."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playhouse.migrations import Runner

from .handle import database, is_postgres

POSTGRES_LOCK = 0x5354454C4C4152
"""A number of our own for pg_advisory_lock: "STELLAR" in ASCII."""

CORE = Path(__file__).with_name("migrations")


def history_table(plugin: str) -> str:
    """Where a plugin's applied migrations are recorded."""
    return f"{plugin}_migration"


def migrate(directories: dict[str, Path], lock_file: Path) -> dict[str, list[str]]:
    """Apply what is pending of each plugin (by name, in order); returns the applied names per plugin."""
    with _lock(lock_file):
        return {name: list(_runner(name, directory).up()) for name, directory in directories.items()}


def pending(directories: dict[str, Path]) -> dict[str, list[str]]:
    """The migrations that have not been applied, per plugin that has some."""
    found = {
        name: [row.name for row in _runner(name, directory).status() if not row.applied]
        for name, directory in directories.items()
    }
    return {name: rows for name, rows in found.items() if rows}


def _runner(plugin: str, directory: Path) -> Runner:
    return Runner(database.obj, str(directory), table_name=history_table(plugin))


@contextmanager
def _lock(lock_file: Path) -> Iterator[None]:
    if is_postgres():
        database.execute_sql("select pg_advisory_lock(%s)", (POSTGRES_LOCK,))
        try:
            yield
        finally:
            database.execute_sql("select pg_advisory_unlock(%s)", (POSTGRES_LOCK,))
        return
    with lock_file.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
