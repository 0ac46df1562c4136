"""Nodes, join tokens and allocations."""

from __future__ import annotations

import peewee
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    class Node(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)
        name = peewee.CharField(max_length=64, unique=True)
        address = peewee.CharField(max_length=255)
        port_start = peewee.IntegerField()
        port_end = peewee.IntegerField()
        key_hash = peewee.CharField(max_length=64, null=True)
        local = peewee.BooleanField()
        hostname = peewee.CharField(max_length=255)
        platform = peewee.CharField(max_length=255)
        version = peewee.CharField(max_length=32)
        capabilities = peewee.TextField()
        outbox_id = peewee.CharField(max_length=36)
        outbox_position = peewee.BigIntegerField()
        last_seen_at = peewee.CharField(max_length=32, null=True)
        created_at = peewee.CharField(max_length=32)

        class Meta:
            database = db
            table_name = "nodes_node"

    class JoinToken(peewee.Model):
        token_hash = peewee.CharField(max_length=64, primary_key=True)
        node = peewee.ForeignKeyField(Node, on_delete="CASCADE")
        expires_at = peewee.CharField(max_length=32)
        used_at = peewee.CharField(max_length=32, null=True)

        class Meta:
            database = db
            table_name = "nodes_join_token"

    class Allocation(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)
        node = peewee.ForeignKeyField(Node, on_delete="RESTRICT")
        ip = peewee.CharField(max_length=45)
        port = peewee.IntegerField()
        server_id = peewee.CharField(max_length=36, index=True)
        name = peewee.CharField(max_length=32)
        protocol = peewee.CharField(max_length=8)
        position = peewee.IntegerField()

        class Meta:
            database = db
            table_name = "nodes_allocation"
            indexes = ((("node", "ip", "port"), True),)

    db.create_tables([Node, JoinToken, Allocation])
