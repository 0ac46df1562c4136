"""Members of servers and invitations to become one."""

from __future__ import annotations

import peewee
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Create the tables."""

    class User(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)

        class Meta:
            database = db
            table_name = "auth_user"

    class Server(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)

        class Meta:
            database = db
            table_name = "servers_server"

    class Member(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)
        server = peewee.ForeignKeyField(Server, on_delete="CASCADE")
        user = peewee.ForeignKeyField(User, on_delete="CASCADE")
        actions = peewee.TextField()
        created_at = peewee.CharField(max_length=32)

        class Meta:
            database = db
            table_name = "servers_member"
            indexes = ((("user", "server"), True),)

    class Invitation(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)
        server = peewee.ForeignKeyField(Server, on_delete="CASCADE")
        email = peewee.CharField(max_length=254)
        actions = peewee.TextField()
        token_hash = peewee.CharField(max_length=64, unique=True)
        invited_by = peewee.ForeignKeyField(User, on_delete="CASCADE")
        created_at = peewee.CharField(max_length=32)
        expires_at = peewee.CharField(max_length=32)
        used_at = peewee.CharField(max_length=32, null=True)

        class Meta:
            database = db
            table_name = "servers_invitation"

    db.create_tables([Member, Invitation])
