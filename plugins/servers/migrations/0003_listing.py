"""Indexes for the orders in which servers are listed."""

from __future__ import annotations

from typing import Any

import peewee
from playhouse.migrate import SchemaMigrator

INDEXES = {
    "server_created_at_id": "created_at, id",
    "server_name_id": "name, id",
    "server_owner_id_created_at": "owner_id, created_at",
}


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Create the indexes."""
    execute: Any = db.execute_sql
    for name, columns in INDEXES.items():
        execute(f"create index {name} on servers_server ({columns})")


def down(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Drop the indexes."""
    execute: Any = db.execute_sql
    for name in INDEXES:
        execute(f"drop index {name}")
