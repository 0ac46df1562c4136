"""Custom roles and API keys."""

from __future__ import annotations

import peewee
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Create the tables."""

    class User(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)

        class Meta:
            database = db
            table_name = "auth_user"

    class Role(peewee.Model):
        name = peewee.CharField(max_length=16, primary_key=True)
        title = peewee.CharField(max_length=60)
        actions = peewee.TextField()
        created_at = peewee.CharField(max_length=32)

        class Meta:
            database = db
            table_name = "auth_role"

    class Key(peewee.Model):
        id = peewee.CharField(max_length=16, primary_key=True)
        user = peewee.ForeignKeyField(User, on_delete="CASCADE")
        name = peewee.CharField(max_length=100)
        secret_hash = peewee.CharField(max_length=64)
        scopes = peewee.TextField()
        networks = peewee.TextField()
        created_at = peewee.CharField(max_length=32)
        expires_at = peewee.CharField(max_length=32, null=True)
        used_at = peewee.CharField(max_length=32, null=True)
        used_from = peewee.CharField(max_length=45)

        class Meta:
            database = db
            table_name = "auth_key"

    db.create_tables([Role, Key])
