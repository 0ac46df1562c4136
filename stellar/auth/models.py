"""The tables of accounts."""

from __future__ import annotations

import peewee

from ..db import IdField, Model, UTCDateTimeField, now


class User(Model):
    """An account. ``email`` is normalised, ``role`` is ``admin`` or ``user``."""

    id = IdField()
    email = peewee.CharField(max_length=254, unique=True)
    name = peewee.CharField(max_length=100)
    password_hash = peewee.CharField(max_length=255)
    role = peewee.CharField(max_length=16, default="user")
    theme = peewee.CharField(max_length=16, default="system")
    locale = peewee.CharField(max_length=16, default="en")
    suspended_at = UTCDateTimeField(null=True)
    created_at = UTCDateTimeField(default=now, index=True)

    class Meta:
        table_name = "auth_user"


class Link(Model):
    """A one-time link; only the hash of its token is kept."""

    id = IdField()
    kind = peewee.CharField(max_length=16)
    token_hash = peewee.CharField(max_length=64, unique=True)
    user = peewee.ForeignKeyField(User, null=True, on_delete="CASCADE", backref="links")
    created_at = UTCDateTimeField(default=now)
    expires_at = UTCDateTimeField()
    used_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "auth_link"


MODELS: list[type[Model]] = [User, Link]
