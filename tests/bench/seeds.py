"""Rows for the scripts that measure the API: one node, 50 users, any number of servers; no games."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from stellar.auth import sessions
from stellar.auth.models import User
from stellar.bus import names, sync
from stellar.db import Model, connect, database, disconnect, is_postgres, write_tx
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.nodes.models import Allocation, Node
from stellar.plugins.servers.models import Install, Member, Server, searched

USERS = 50
SHARED = 200
"""The first servers, the oldest: half of them belong to ``MEMBER``, who is a member of the others; all of them run."""

NODE = "bench"
MEMBER = "user-0"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=30)
AT_ONCE = 50


def seed(database_url: str, servers: int) -> None:
    """``fill`` the database at this address."""
    connect(database_url)
    try:
        fill(servers)
        if is_postgres():
            database.execute_sql("vacuum analyze")
    finally:
        disconnect()


def fill(servers: int) -> None:
    """Bring the database to this number of servers; what is there already stays."""
    with write_tx():
        if not Node.select().where(Node.id == NODE).exists():
            _add_accounts()
        _add_servers(Server.select().count(), servers)


def begin_session(database_url: str) -> str:
    """The token of a new session of ``MEMBER``."""
    connect(database_url)
    try:
        return sessions.create(User.get_by_id(MEMBER), "127.0.0.1", "bench").token
    finally:
        disconnect()


def appear() -> None:
    """Let the node seem online for an hour."""
    sync.client().set(names.cache_node_metrics(NODE), b"{}", ex=3600)


def remove(database_url: str) -> None:
    """Delete the servers: no node would answer for them."""
    connect(database_url)
    try:
        for model in (Server, Allocation):
            model.delete().execute()
    finally:
        disconnect()


def server_id(number: int) -> str:
    """The id of a server by its number, the oldest first."""
    return f"00000000-0000-4000-8000-{number:012x}"


def _add_accounts() -> None:
    Node.create(id=NODE, name=NODE, address="play.example.org", port_start=1, port_end=65535)
    users = [_user(number) for number in range(USERS)]
    _insert(User, users)


def _add_servers(first: int, end: int) -> None:
    blueprint = Blueprint.get(Blueprint.name == "luanti").id
    numbers = range(first, end)
    _insert(Server, (_server(number, blueprint) for number in numbers))
    _insert(Allocation, (_allocation(number) for number in numbers))
    _insert(Install, (_install(number) for number in numbers))
    shared = [number for number in numbers if number < SHARED and not _is_own(number)]
    _insert(Member, ({"server": server_id(number), "user": MEMBER, "actions": ["servers.read"]} for number in shared))


def _insert(model: type[Model], rows: Iterable[dict[str, Any]]) -> None:
    listed = list(rows)
    for start in range(0, len(listed), AT_ONCE):
        model.insert_many(listed[start : start + AT_ONCE]).execute()


def _user(number: int) -> dict[str, Any]:
    name = f"user-{number}"
    return {"id": name, "email": f"{name}@example.com", "name": f"User {number}", "password_hash": "!"}


def _is_own(number: int) -> bool:
    return number < SHARED // 2


def _server(number: int, blueprint: str) -> dict[str, Any]:
    name, description = f"Server {number}", "Friday night, for the whole family"
    return {
        "id": server_id(number),
        "short_id": f"{number:08x}",
        "name": name,
        "description": description,
        **searched(name, description),
        "owner": MEMBER if _is_own(number) else f"user-{1 + number % (USERS - 1)}",
        "node": NODE,
        "blueprint": blueprint,
        "runtime": "process",
        "memory_mb": 2048,
        "cpu_percent": 200,
        "disk_mb": 10240,
        "variables": {"MAX_PLAYERS": "20"},
        "state": "running" if number < SHARED else "offline",
        "install_id": "first",
        "created_at": EPOCH + number * STEP,
    }


def _allocation(number: int) -> dict[str, Any]:
    return {"node": NODE, "ip": "0.0.0.0", "port": 1024 + number, "server_id": server_id(number)}


def _install(number: int) -> dict[str, Any]:
    return {
        "server": server_id(number),
        "install_id": "first",
        "ok": True,
        "exit_code": 0,
        "log": "done\n" * 20,
        "started_at": 1.7e9,
        "finished_at": 1.7e9 + 5,
    }
