"""Built-in blueprints that an administrator has changed."""

from __future__ import annotations

from typing import Any

import peewee
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    execute: Any = db.execute_sql
    boolean = "BOOLEAN" if isinstance(db, peewee.PostgresqlDatabase) else "SMALLINT"
    # Rebuilding the table, as the migrator does on SQLite, would break the servers that refer to it.
    execute(f"ALTER TABLE blueprints_blueprint ADD COLUMN modified {boolean} NOT NULL DEFAULT FALSE")
