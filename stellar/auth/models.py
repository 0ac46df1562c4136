"""The tables of accounts."""

from __future__ import annotations

import peewee

from ..db import IdField, JSONField, Model, UTCDateTimeField, now


class User(Model):
    """An account. ``email`` is normalised, ``role`` a built-in role or the name of a ``Role``.

    Without a password (``password_hash`` is empty) its owner signs in elsewhere.
    """

    id = IdField()
    email = peewee.CharField(max_length=254, unique=True)
    name = peewee.CharField(max_length=100)
    password_hash = peewee.CharField(max_length=255)
    role = peewee.CharField(max_length=16, default="user")
    theme = peewee.CharField(max_length=16, default="system")
    locale = peewee.CharField(max_length=16, default="en")
    time_zone = peewee.CharField(max_length=64, default="UTC")
    suspended_at = UTCDateTimeField(null=True)
    created_at = UTCDateTimeField(default=now, index=True)
    email_verified_at = UTCDateTimeField(null=True)
    pending_email = peewee.CharField(max_length=254, null=True)

    class Meta:
        table_name = "auth_user"


class Link(Model):
    """A one-time link; only the hash of its token is kept. ``email`` is the address that it confirms."""

    user_id: str | None

    id = IdField()
    kind = peewee.CharField(max_length=16)
    token_hash = peewee.CharField(max_length=64, unique=True)
    user = peewee.ForeignKeyField(User, null=True, on_delete="CASCADE", backref="links")
    created_at = UTCDateTimeField(default=now)
    expires_at = UTCDateTimeField()
    used_at = UTCDateTimeField(null=True)
    email = peewee.CharField(max_length=254, null=True)

    class Meta:
        table_name = "auth_link"


class Authenticator(Model):
    """A user's authenticator app; ``secret`` is sealed, ``last_step`` the time step of the last code that was used."""

    user_id: str

    user = peewee.ForeignKeyField(User, primary_key=True, on_delete="CASCADE")
    secret = peewee.CharField(max_length=255)
    created_at = UTCDateTimeField(default=now)
    confirmed_at = UTCDateTimeField(null=True)
    last_step = peewee.BigIntegerField(default=0)

    class Meta:
        table_name = "auth_totp"


class RecoveryCode(Model):
    """A code for when the authenticator is lost; only its hash is kept."""

    id = IdField()
    user = peewee.ForeignKeyField(User, on_delete="CASCADE")
    code_hash = peewee.CharField(max_length=64)
    used_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "auth_recovery_code"


class Passkey(Model):
    """A WebAuthn credential; its id and public key in base64url."""

    user_id: str

    id = IdField()
    user = peewee.ForeignKeyField(User, on_delete="CASCADE")
    credential_id = peewee.CharField(max_length=1400, unique=True)
    public_key = peewee.TextField()
    sign_count = peewee.BigIntegerField()
    name = peewee.CharField(max_length=100)
    created_at = UTCDateTimeField(default=now)
    used_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "auth_passkey"


class Identity(Model):
    """An account elsewhere: who it is there (``subject``) never changes, its ``name`` is only shown."""

    user_id: str

    id = IdField()
    user = peewee.ForeignKeyField(User, on_delete="CASCADE")
    provider = peewee.CharField(max_length=16)
    subject = peewee.CharField(max_length=255)
    name = peewee.CharField(max_length=254)
    created_at = UTCDateTimeField(default=now)

    class Meta:
        table_name = "auth_identity"
        indexes = ((("provider", "subject"), True),)


class Role(Model):
    """A custom role: ``actions`` is a list of names. Accounts name their role without a foreign key."""

    name = peewee.CharField(max_length=16, primary_key=True)
    title = peewee.CharField(max_length=60)
    actions = JSONField()
    created_at = UTCDateTimeField(default=now)

    class Meta:
        table_name = "auth_role"


class Key(Model):
    """An API key; only the hash of its secret is kept. No ``networks``: from anywhere. ``used_at`` is approximate."""

    user_id: str

    id = peewee.CharField(max_length=16, primary_key=True)
    user = peewee.ForeignKeyField(User, on_delete="CASCADE", backref="keys")
    name = peewee.CharField(max_length=100)
    secret_hash = peewee.CharField(max_length=64)
    scopes = JSONField()
    networks = JSONField()
    created_at = UTCDateTimeField(default=now)
    expires_at = UTCDateTimeField(null=True)
    used_at = UTCDateTimeField(null=True)
    used_from = peewee.CharField(max_length=45, default="")

    class Meta:
        table_name = "auth_key"


MODELS: list[type[Model]] = [User, Link, Role, Key, Authenticator, RecoveryCode, Passkey, Identity]
