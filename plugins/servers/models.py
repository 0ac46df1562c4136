"""Tables: servers, their latest install, their crashes."""

from __future__ import annotations

import peewee

from stellar.auth.models import User
from stellar.db import IdField, JSONField, Model, UTCDateTimeField, now
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.nodes.models import Node


class Server(Model):
    """A game server. ``state`` is what its node last said; ``state_at`` is seconds since the epoch, the node's clock.

    ``removing`` is set while it is being deleted: its node is no longer told of it.
    """

    owner_id: str
    node_id: str
    blueprint_id: str

    id = IdField()
    short_id = peewee.CharField(max_length=8, unique=True)
    name = peewee.CharField(max_length=64)
    description = peewee.CharField(max_length=512, default="")
    owner = peewee.ForeignKeyField(User, on_delete="RESTRICT", backref="servers")
    node = peewee.ForeignKeyField(Node, on_delete="RESTRICT", backref="servers")
    blueprint = peewee.ForeignKeyField(Blueprint, on_delete="RESTRICT", backref="servers")
    runtime = peewee.CharField(max_length=16)
    memory_mb = peewee.IntegerField()
    cpu_percent = peewee.IntegerField()
    disk_mb = peewee.IntegerField()
    variables = JSONField(default=dict)
    state = peewee.CharField(max_length=16, default="installing", index=True)
    state_at = peewee.DoubleField(default=0.0)
    install_id = peewee.CharField(max_length=36)
    suspended = peewee.BooleanField(default=False)
    removing = peewee.BooleanField(default=False)
    created_at = UTCDateTimeField(default=now, index=True)

    class Meta:
        table_name = "servers_server"


class Install(Model):
    """How the latest install of a server went; ``log`` is the end of its output. Times are the node's."""

    server = peewee.ForeignKeyField(Server, primary_key=True, on_delete="CASCADE", backref="installs")
    install_id = peewee.CharField(max_length=36)
    ok = peewee.BooleanField()
    exit_code = peewee.IntegerField(null=True)
    log = peewee.TextField()
    started_at = peewee.DoubleField()
    finished_at = peewee.DoubleField()

    class Meta:
        table_name = "servers_install"


class Crash(Model):
    """An end that nobody asked for; ``log`` is what the server last said. ``at`` is seconds since the epoch."""

    id = IdField()
    server = peewee.ForeignKeyField(Server, on_delete="CASCADE", backref="crashes")
    at = peewee.DoubleField()
    code = peewee.IntegerField(null=True)
    signal = peewee.CharField(max_length=16, null=True)
    oom = peewee.BooleanField()
    restarting = peewee.BooleanField()
    log = peewee.TextField()

    class Meta:
        table_name = "servers_crash"


MODELS = (Server, Install, Crash)
