"""Draining, notes, locations, several port ranges, reserved ports, and keys that are being rotated."""

from __future__ import annotations

from typing import Any

import peewee
from playhouse.migrate import SchemaMigrator

COLUMNS = (
    ("nodes_node", "note", "VARCHAR(512) NOT NULL DEFAULT ''"),
    ("nodes_node", "extra_ports", "TEXT NOT NULL DEFAULT '[]'"),
    ("nodes_node", "next_keys", "TEXT NOT NULL DEFAULT '[]'"),
    ("nodes_node", "draining", "{boolean} NOT NULL DEFAULT FALSE"),
    ("nodes_node", "location_id", "VARCHAR(36) REFERENCES nodes_location (id) ON DELETE RESTRICT"),
    ("nodes_allocation", "note", "VARCHAR(255) NOT NULL DEFAULT ''"),
)


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    class Location(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)
        name = peewee.CharField(max_length=64, unique=True)
        description = peewee.CharField(max_length=512)
        created_at = peewee.CharField(max_length=32)

        class Meta:
            database = db
            table_name = "nodes_location"

    db.create_tables([Location])
    execute: Any = db.execute_sql
    boolean = "BOOLEAN" if isinstance(db, peewee.PostgresqlDatabase) else "SMALLINT"
    # Rebuilding a table, as the migrator does on SQLite, would break the servers that refer to it.
    for table, column, kind in COLUMNS:
        execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind.format(boolean=boolean)}")
    execute("CREATE INDEX node_location_id ON nodes_node (location_id)")
