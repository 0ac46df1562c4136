"""Directories of the node that a server sees besides its own."""

from __future__ import annotations

from typing import Any

import peewee
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Add the column."""
    execute: Any = db.execute_sql
    execute("alter table servers_server add column mounts text not null default '[]'")


def down(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Drop it."""
    execute: Any = db.execute_sql
    execute("alter table servers_server drop column mounts")
