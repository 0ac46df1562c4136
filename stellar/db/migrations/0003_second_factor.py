"""Time zones, confirmed addresses, and second factors."""

from __future__ import annotations

import peewee
from playhouse.migrate import SchemaMigrator

COLUMNS = (
    ("auth_user", "time_zone", "VARCHAR(64) NOT NULL DEFAULT 'UTC'"),
    ("auth_user", "email_verified_at", "VARCHAR(32)"),
    ("auth_user", "pending_email", "VARCHAR(254)"),
    ("auth_link", "email", "VARCHAR(254)"),
)


class User(peewee.Model):
    id = peewee.CharField(max_length=36, primary_key=True)

    class Meta:
        table_name = "auth_user"


class Authenticator(peewee.Model):
    user = peewee.ForeignKeyField(User, primary_key=True, on_delete="CASCADE")
    secret = peewee.CharField(max_length=255)
    created_at = peewee.CharField(max_length=32)
    confirmed_at = peewee.CharField(max_length=32, null=True)
    last_step = peewee.BigIntegerField()

    class Meta:
        table_name = "auth_totp"


class RecoveryCode(peewee.Model):
    id = peewee.CharField(max_length=36, primary_key=True)
    user = peewee.ForeignKeyField(User, on_delete="CASCADE")
    code_hash = peewee.CharField(max_length=64)
    used_at = peewee.CharField(max_length=32, null=True)

    class Meta:
        table_name = "auth_recovery_code"


class Passkey(peewee.Model):
    id = peewee.CharField(max_length=36, primary_key=True)
    user = peewee.ForeignKeyField(User, on_delete="CASCADE")
    credential_id = peewee.CharField(max_length=1400, unique=True)
    public_key = peewee.TextField()
    sign_count = peewee.BigIntegerField()
    name = peewee.CharField(max_length=100)
    created_at = peewee.CharField(max_length=32)
    used_at = peewee.CharField(max_length=32, null=True)

    class Meta:
        table_name = "auth_passkey"


class Identity(peewee.Model):
    id = peewee.CharField(max_length=36, primary_key=True)
    user = peewee.ForeignKeyField(User, on_delete="CASCADE")
    provider = peewee.CharField(max_length=16)
    subject = peewee.CharField(max_length=255)
    name = peewee.CharField(max_length=254)
    created_at = peewee.CharField(max_length=32)

    class Meta:
        table_name = "auth_identity"
        indexes = ((("provider", "subject"), True),)


TABLES = [Authenticator, RecoveryCode, Passkey, Identity]


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Add the columns as they are (SQLite would copy the table otherwise) and create the tables."""
    for table, column, kind in COLUMNS:
        db.execute_sql(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")  # type: ignore[no-untyped-call]
    with db.bind_ctx(TABLES, bind_refs=True):
        db.create_tables(TABLES)


def down(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Undo it."""
    with db.bind_ctx(TABLES, bind_refs=True):
        db.drop_tables(TABLES)
    for table, column, _ in COLUMNS:
        db.execute_sql(f"ALTER TABLE {table} DROP COLUMN {column}")  # type: ignore[no-untyped-call]
