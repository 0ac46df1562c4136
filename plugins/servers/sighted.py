"""Servers as the API answers with them: what the panel knows, and what it can't know while a node is offline."""

from __future__ import annotations

from collections.abc import Sequence

from stellar.auth.permissions import Actor
from stellar.db import read
from stellar.plugins.nodes import presence

from . import listing, views
from .schemas import ListQuery, ServerDetail, ServerPage, ServerView

UNKNOWN = "unknown"
"""The state of a server whose node is offline."""
_INSTALLING = ("installing", "install_failed")


def state_of(server: ServerView, online: bool) -> str:
    """A server's state; what is wanted of a node, such as an install, is known without it."""
    return server.state if online or server.state in _INSTALLING else UNKNOWN


async def detail(actor: Actor, ref: str) -> ServerDetail:
    """One server that ``actor`` may see."""
    server = await read(views.detail, actor, ref)
    await _sight([server])
    return server


async def page(actor: Actor, query: ListQuery) -> ServerPage:
    """A page of the servers that ``actor`` may see."""
    found = await read(listing.page, actor, query)
    await _sight(found.items)
    return found


def sight(servers: Sequence[ServerView]) -> None:
    """Have servers say that their state isn't known where that is so; for code without an event loop."""
    _mark(servers, presence.online_now({server.node.id for server in servers}) or set())


async def _sight(servers: Sequence[ServerView]) -> None:
    _mark(servers, await presence.online_lately({server.node.id for server in servers}))


def _mark(servers: Sequence[ServerView], online: set[str]) -> None:
    for server in servers:
        server.state = state_of(server, server.node.id in online)
