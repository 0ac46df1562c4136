"""What must not be lost between a node and its panel: kept in a file until the panel has applied it."""

from __future__ import annotations

import sqlite3
import uuid
from pathlib import Path
from typing import Any

import msgspec

from ..protocol import Report

SCHEMA = """
create table if not exists outbox (
    position integer primary key autoincrement, kind text not null, server_id text, data blob not null
);
create table if not exists identity (id text not null);
"""


class Outbox:
    """Reports in order. An id is ``<outbox>:<position>``, so that the panel knows what it has applied."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = full")
        self._database.executescript(SCHEMA)
        self._id = self._identity()

    def add(self, kind: str, server_id: str | None, data: dict[str, Any]) -> None:
        """Keep a report; it is on disk when this returns."""
        self._database.execute(
            "insert into outbox (kind, server_id, data) values (?, ?, ?)",
            (kind, server_id, msgspec.msgpack.encode(data)),
        )

    def waiting(self, after: int = 0, limit: int = 100) -> list[tuple[int, Report]]:
        """Reports behind a position, oldest first."""
        rows = self._database.execute(
            "select position, kind, server_id, data from outbox where position > ? order by position limit ?",
            (after, limit),
        )
        return [
            (position, Report(f"{self._id}:{position}", kind, server_id, msgspec.msgpack.decode(data)))
            for position, kind, server_id, data in rows
        ]

    def acknowledged(self, report_id: str) -> None:
        """Forget a report, and those before it: the panel applies them in order."""
        outbox, _, position = report_id.partition(":")
        if outbox == self._id and position.isdecimal():
            self._database.execute("delete from outbox where position <= ?", (int(position),))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _identity(self) -> str:
        row = self._database.execute("select id from identity").fetchone()
        if row is not None:
            return str(row[0])
        identity = str(uuid.uuid4())
        self._database.execute("insert into identity values (?)", (identity,))
        return identity
