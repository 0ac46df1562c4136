"""More limits, the choice of an image and a start-up command, and whether a server starts with its machine."""

from __future__ import annotations

from typing import Any

import peewee
from playhouse.migrate import SchemaMigrator

COLUMNS = {
    "swap_mb": "integer not null default 0",
    "cpu_set": "varchar(64) not null default ''",
    "io_weight": "integer not null default 500",
    "pids": "integer not null default 0",
    "oom_kill": "boolean not null default true",
    "image": "varchar(255) not null default ''",
    "startup": "varchar(64) not null default ''",
    "autostart": "boolean not null default true",
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
