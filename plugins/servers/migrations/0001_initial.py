"""Servers, their latest install and their crashes."""

from __future__ import annotations

import peewee
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    class User(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)

        class Meta:
            database = db
            table_name = "auth_user"

    class Node(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)

        class Meta:
            database = db
            table_name = "nodes_node"

    class Blueprint(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)

        class Meta:
            database = db
            table_name = "blueprints_blueprint"

    class Server(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)
        short_id = peewee.CharField(max_length=8, unique=True)
        name = peewee.CharField(max_length=64)
        description = peewee.CharField(max_length=512)
        owner = peewee.ForeignKeyField(User, on_delete="RESTRICT")
        node = peewee.ForeignKeyField(Node, on_delete="RESTRICT")
        blueprint = peewee.ForeignKeyField(Blueprint, on_delete="RESTRICT")
        runtime = peewee.CharField(max_length=16)
        memory_mb = peewee.IntegerField()
        cpu_percent = peewee.IntegerField()
        disk_mb = peewee.IntegerField()
        variables = peewee.TextField()
        state = peewee.CharField(max_length=16, index=True)
        state_at = peewee.DoubleField()
        install_id = peewee.CharField(max_length=36)
        suspended = peewee.BooleanField()
        removing = peewee.BooleanField()
        created_at = peewee.CharField(max_length=32, index=True)

        class Meta:
            database = db
            table_name = "servers_server"

    class Install(peewee.Model):
        server = peewee.ForeignKeyField(Server, primary_key=True, on_delete="CASCADE")
        install_id = peewee.CharField(max_length=36)
        ok = peewee.BooleanField()
        exit_code = peewee.IntegerField(null=True)
        log = peewee.TextField()
        started_at = peewee.DoubleField()
        finished_at = peewee.DoubleField()

        class Meta:
            database = db
            table_name = "servers_install"

    class Crash(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)
        server = peewee.ForeignKeyField(Server, on_delete="CASCADE")
        at = peewee.DoubleField()
        code = peewee.IntegerField(null=True)
        signal = peewee.CharField(max_length=16, null=True)
        oom = peewee.BooleanField()
        restarting = peewee.BooleanField()
        log = peewee.TextField()

        class Meta:
            database = db
            table_name = "servers_crash"

    db.create_tables([Server, Install, Crash])
