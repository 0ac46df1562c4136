"""The table of blueprints."""

from __future__ import annotations

import peewee

from stellar.db import IdField, Model, UTCDateTimeField, now


class Blueprint(Model):
    """A blueprint that servers can be made from.

    ``source`` is its TOML; ``document`` is what was read from it (``structs.Blueprint`` as JSON), with the install
    script in place. ``digest`` changes with any part of it. ``builtin`` rows follow the panel's own files;
    ``modified`` ones did until an administrator changed them. ``egg`` is the one that it was imported from, as JSON,
    with what a blueprint can't express, and ``egg_uuid`` its own id; else they are empty.
    """

    id = IdField()
    name = peewee.CharField(max_length=48, unique=True)
    title = peewee.CharField(max_length=64, default="")
    category = peewee.CharField(max_length=16, default="other")
    builtin = peewee.BooleanField(default=False)
    modified = peewee.BooleanField(default=False)
    source = peewee.TextField(default="")
    document = peewee.TextField(default="")
    egg = peewee.TextField(default="")
    egg_uuid = peewee.CharField(max_length=36, default="")
    icon_type = peewee.CharField(max_length=32, default="")
    icon = peewee.BlobField(default=b"")
    digest = peewee.CharField(max_length=64, default="")
    created_at = UTCDateTimeField(default=now)
    updated_at = UTCDateTimeField(default=now)

    class Meta:
        table_name = "blueprints_blueprint"


MODELS = (Blueprint,)
