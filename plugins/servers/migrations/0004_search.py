"""What the list is searched and sorted by: text whose upper and lower case are the same on both databases."""

from __future__ import annotations

import unicodedata
from typing import Any

import peewee
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Add the columns, fill them, and sort names by the folded one."""
    execute: Any = db.execute_sql
    execute("alter table servers_server add column name_key varchar(192) not null default ''")
    execute("alter table servers_server add column search_text text not null default ''")
    sign = "%s" if isinstance(db, peewee.PostgresqlDatabase) else "?"
    fill = f"update servers_server set name_key = {sign}, search_text = {sign} where id = {sign}"  # noqa: S608
    for id_, name, description in execute("select id, name, description from servers_server").fetchall():
        execute(fill, (_folded(name), _folded(f"{name}\n{description}"), id_))
    execute("drop index server_name_id")
    execute("create index server_name_key_id on servers_server (name_key, id)")


def down(migrator: SchemaMigrator, db: peewee.Database) -> None:
    """Take them away."""
    execute: Any = db.execute_sql
    execute("drop index server_name_key_id")
    execute("create index server_name_id on servers_server (name, id)")
    for column in ("name_key", "search_text"):
        execute(f"alter table servers_server drop column {column}")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())
