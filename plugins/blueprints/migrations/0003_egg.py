"""The egg that a blueprint was imported from, and that egg's own id."""

from __future__ import annotations

from typing import Any

import peewee
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    execute: Any = db.execute_sql
    execute("ALTER TABLE blueprints_blueprint ADD COLUMN egg TEXT NOT NULL DEFAULT ''")
    execute("ALTER TABLE blueprints_blueprint ADD COLUMN egg_uuid VARCHAR(36) NOT NULL DEFAULT ''")
