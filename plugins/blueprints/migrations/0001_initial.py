"""Blueprints."""

from __future__ import annotations

import peewee
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    class Blueprint(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)
        name = peewee.CharField(max_length=48, unique=True)
        title = peewee.CharField(max_length=64)
        category = peewee.CharField(max_length=16)
        builtin = peewee.BooleanField()
        source = peewee.TextField()
        document = peewee.TextField()
        icon_type = peewee.CharField(max_length=32)
        icon = peewee.BlobField()
        digest = peewee.CharField(max_length=64)
        created_at = peewee.CharField(max_length=32)
        updated_at = peewee.CharField(max_length=32)

        class Meta:
            database = db
            table_name = "blueprints_blueprint"

    db.create_tables([Blueprint])
