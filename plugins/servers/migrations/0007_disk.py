"""Whether a server takes more disk than it may."""

from __future__ import annotations

from typing import Any

import peewee
from playhouse.migrate import SchemaMigrator

COLUMNS = {
    "disk_level": "varchar(16) not null default 'ok'",
    "disk_used": "bigint not null default 0",
    "disk_at": "double precision not null default 0",
}


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Add the columns."""
    execute: Any = db.execute_sql
    for name, kind in COLUMNS.items():
        execute(f"alter table servers_server add column {name} {kind}")


def down(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Drop them."""
    execute: Any = db.execute_sql
    for name in COLUMNS:
        execute(f"alter table servers_server drop column {name}")
