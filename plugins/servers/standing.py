"""What somebody may do on servers, for the pages that offer it."""

from __future__ import annotations

from collections.abc import Collection

from stellar.auth.permissions import Actor, allowed, exists

from .actions import FOR_ADMINISTRATORS
from .models import Member, Server
from .permissions import POWER, READ, holds
from .service import STILL_ALLOWED, get_server

ON_LISTS = (*(f"control.{action}" for action in POWER), "console.read")
"""The actions that lists of servers offer."""


def may(actor: Actor, ref: str) -> frozenset[str]:
    """All that the actor may do now on a server that they may see."""
    server = get_server(actor, ref, READ)
    found = {*holds(actor, server), *(action for action in FOR_ADMINISTRATORS if allowed(actor, action))}
    return _now(server, found)


def may_each(actor: Actor, server_ids: Collection[str]) -> dict[str, frozenset[str]]:
    """Which of ``ON_LISTS`` the actor may do, by the id of the server; two queries for all of them together."""
    servers = list(Server.select().where(Server.id << list(server_ids)))
    mine = Member.select().where((Member.user == actor.user_id) & (Member.server << list(server_ids)))
    held = {member.server_id: frozenset(member.actions) for member in mine}
    for server in servers:
        server.remember(actor.user_id or "", held.get(server.id, frozenset()))
    offered = [action for action in ON_LISTS if exists(action)]
    return {server.id: _now(server, {one for one in offered if allowed(actor, one, server)}) for server in servers}


def _now(server: Server, actions: set[str]) -> frozenset[str]:
    return frozenset(actions & STILL_ALLOWED if server.suspended or server.removing else actions)
