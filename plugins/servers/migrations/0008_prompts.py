"""Why a server that crashed was ended by its node, and the questions of games that are open."""

from __future__ import annotations

from typing import Any

import peewee
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Add the column and the table."""

    class Server(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)

        class Meta:
            database = db
            table_name = "servers_server"

    class OpenPrompt(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)
        server = peewee.ForeignKeyField(Server, on_delete="CASCADE")
        name = peewee.CharField(max_length=64)
        at = peewee.DoubleField()
        line = peewee.TextField()

        class Meta:
            database = db
            table_name = "servers_prompt"
            indexes = ((("server", "name"), True),)

    execute: Any = db.execute_sql
    execute("alter table servers_crash add column reason text not null default ''")
    db.create_tables([OpenPrompt])


def down(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Drop them."""
    execute: Any = db.execute_sql
    execute("drop table servers_prompt")
    execute("alter table servers_crash drop column reason")
