"""Accounts, servers and keys for tests of who may do what; rows only, no node and no game."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from web_parts import WebServer

from stellar.auth import sessions, users
from stellar.auth.models import User
from stellar.db.fields import new_id
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.nodes.models import Node
from stellar.plugins.servers.models import Member, Server

HASH = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$c29tZWhhc2g"
"""Nobody's password: the sessions of these tests begin without signing in."""


def new_user(role: str = "user", name: str = "somebody") -> User:
    """An account that nobody else uses."""
    return users.insert(f"{name}-{uuid.uuid4().hex[:12]}@example.com", HASH, name.title(), role)


@contextmanager
def signed_in(web: WebServer, user: User) -> Iterator[httpx.Client]:
    """A browser with a new session of an account."""
    begun = sessions.create(users.get(user.id), "127.0.0.1", "tests")
    with web.client(cookies={"stellar_session": begun.token}, timeout=30) as client:
        client.headers["X-CSRF-Token"] = begun.session.csrf_token
        yield client


def new_node() -> Node:
    """A node that is not connected."""
    name = f"node-{uuid.uuid4().hex[:8]}"
    made = Node.create(name=name, address="127.0.0.1", port_start=30000, port_end=30100)
    assert isinstance(made, Node)
    return made


def new_server(owner: User, node: Node, **values: Any) -> Server:
    """A server that is offline, on a node."""
    fields = {"name": "A server", "runtime": "process", "memory_mb": 128, "cpu_percent": 50, "disk_mb": 256, **values}
    blueprint = Blueprint.get(Blueprint.name == "generic")
    made = Server.create(
        short_id=uuid.uuid4().hex[:8],
        owner=owner,
        node=node,
        blueprint=blueprint,
        install_id=new_id(),
        state="offline",
        **fields,
    )
    assert isinstance(made, Server)
    return made


def add_member(server: Server, user: User, *actions: str) -> None:
    """Let an account do these on a server, besides seeing it."""
    Member.create(server=server, user=user, actions=sorted({"servers.read", *actions}))


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["code"]
