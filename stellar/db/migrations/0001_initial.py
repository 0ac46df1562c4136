"""Accounts, one-time links, settings and the audit log."""

from __future__ import annotations

from typing import Any

import peewee


class User(peewee.Model):
    id = peewee.CharField(max_length=36, primary_key=True)
    email = peewee.CharField(max_length=254, unique=True)
    name = peewee.CharField(max_length=100)
    password_hash = peewee.CharField(max_length=255)
    role = peewee.CharField(max_length=16)
    theme = peewee.CharField(max_length=16)
    locale = peewee.CharField(max_length=16)
    suspended_at = peewee.CharField(max_length=32, null=True)
    created_at = peewee.CharField(max_length=32, index=True)

    class Meta:
        table_name = "auth_user"


class Link(peewee.Model):
    id = peewee.CharField(max_length=36, primary_key=True)
    kind = peewee.CharField(max_length=16)
    token_hash = peewee.CharField(max_length=64, unique=True)
    user = peewee.ForeignKeyField(User, null=True, on_delete="CASCADE")
    created_at = peewee.CharField(max_length=32)
    expires_at = peewee.CharField(max_length=32)
    used_at = peewee.CharField(max_length=32, null=True)

    class Meta:
        table_name = "auth_link"


class Setting(peewee.Model):
    key = peewee.CharField(max_length=100, primary_key=True)
    value = peewee.TextField()
    updated_at = peewee.CharField(max_length=32)

    class Meta:
        table_name = "core_setting"


class Entry(peewee.Model):
    id = peewee.BigAutoField()
    at = peewee.CharField(max_length=32)
    actor_kind = peewee.CharField(max_length=16)
    actor_id = peewee.CharField(max_length=36, null=True, index=True)
    actor_name = peewee.CharField(max_length=254)
    action = peewee.CharField(max_length=100, index=True)
    target_type = peewee.CharField(max_length=50, null=True)
    target_id = peewee.CharField(max_length=100, null=True)
    address = peewee.CharField(max_length=45)
    request_id = peewee.CharField(max_length=64)
    details = peewee.TextField()

    class Meta:
        table_name = "audit_entry"
        indexes = ((("target_type", "target_id"), False),)


TABLES = [User, Link, Setting, Entry]


def up(migrator: Any, db: peewee.Database) -> None:
    """Create the tables."""
    with db.bind_ctx(TABLES):
        db.create_tables(TABLES)


def down(migrator: Any, db: peewee.Database) -> None:
    """Drop the tables."""
    with db.bind_ctx(TABLES):
        db.drop_tables(TABLES)
