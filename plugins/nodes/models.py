"""Tables: nodes, their locations and join tokens, and the ports that servers may be given."""

from __future__ import annotations

import peewee

from stellar.db import IdField, JSONField, Model, UTCDateTimeField, now


class Location(Model):
    """A place where nodes are, such as a data centre."""

    id = IdField()
    name = peewee.CharField(max_length=64, unique=True)
    description = peewee.CharField(max_length=512, default="")
    created_at = UTCDateTimeField(default=now)

    class Meta:
        table_name = "nodes_location"


class Node(Model):
    """A machine that runs game servers. ``address`` is what players connect to.

    Its ports are those from ``port_start`` to ``port_end`` and the ``[first, last]`` of each of ``extra_ports``.
    ``next_keys`` are hashes of keys that were sent to it, of which it hasn't used one yet. A ``draining`` one gets no
    new servers.
    """

    location_id: str | None

    id = IdField()
    name = peewee.CharField(max_length=64, unique=True)
    address = peewee.CharField(max_length=255)
    port_start = peewee.IntegerField()
    port_end = peewee.IntegerField()
    extra_ports = JSONField(default=list)
    key_hash = peewee.CharField(max_length=64, null=True)
    next_keys = JSONField(default=list)
    local = peewee.BooleanField(default=False)
    draining = peewee.BooleanField(default=False)
    note = peewee.CharField(max_length=512, default="")
    location = peewee.ForeignKeyField(Location, null=True, on_delete="RESTRICT", backref="nodes")
    hostname = peewee.CharField(max_length=255, default="")
    platform = peewee.CharField(max_length=255, default="")
    version = peewee.CharField(max_length=32, default="")
    capabilities = JSONField(default=dict)
    outbox_id = peewee.CharField(max_length=36, default="")
    outbox_position = peewee.BigIntegerField(default=0)
    last_seen_at = UTCDateTimeField(null=True)
    created_at = UTCDateTimeField(default=now)

    class Meta:
        table_name = "nodes_node"


class JoinToken(Model):
    """A single-use, short-lived token that a machine exchanges for its node's key."""

    token_hash = peewee.CharField(max_length=64, primary_key=True)
    node = peewee.ForeignKeyField(Node, on_delete="CASCADE", backref="join_tokens")
    expires_at = UTCDateTimeField()
    used_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "nodes_join_token"


class Allocation(Model):
    """A port of a node that a server has, or that is reserved (then ``server_id`` is empty).

    ``server_id`` is a plain id: nodes know nothing about servers.
    """

    id = IdField()
    node = peewee.ForeignKeyField(Node, on_delete="RESTRICT", backref="allocations")
    ip = peewee.CharField(max_length=45)
    port = peewee.IntegerField()
    server_id = peewee.CharField(max_length=36, index=True)
    name = peewee.CharField(max_length=32, default="default")
    protocol = peewee.CharField(max_length=8, default="both")
    position = peewee.IntegerField(default=0)
    note = peewee.CharField(max_length=255, default="")

    class Meta:
        table_name = "nodes_allocation"
        indexes = ((("node", "ip", "port"), True),)


MODELS = (Location, Node, JoinToken, Allocation)
