"""Indexes in which every order and filter of the list finds its page, however many servers there are."""

from __future__ import annotations

from typing import Any

import peewee
from playhouse.migrate import SchemaMigrator

MADE = {
    "server_owner_id_created_at_id": "owner_id, created_at, id",
    "server_node_id_created_at_id": "node_id, created_at, id",
    "server_blueprint_id_created_at_id": "blueprint_id, created_at, id",
    "server_suspended_created_at_id": "suspended, created_at, id",
    "server_state_created_at_id": "state, created_at, id",
    "server_state_id": "state, id",
}
REPLACED = {
    "server_owner_id_created_at": "owner_id, created_at",
    "server_created_at": "created_at",
    "server_state": "state",
}


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Create the indexes; drop those that are the beginning of another."""
    _replace(db, REPLACED, MADE)


def down(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """The other way round."""
    _replace(db, MADE, REPLACED)


def _replace(db: peewee.Database, old: dict[str, str], new: dict[str, str]) -> None:
    execute: Any = db.execute_sql
    for name in old:
        execute(f"drop index {name}")
    for name, columns in new.items():
        execute(f"create index {name} on servers_server ({columns})")
