"""The rules of servers: who may see and do what, and what the panel knows of them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import peewee

from stellar import audit, jobs
from stellar.auth.models import User
from stellar.auth.permissions import Actor, is_server_action
from stellar.bus import names, sync
from stellar.bus.events import GlobalEvent
from stellar.db import after_commit, database, is_postgres, write_tx
from stellar.db.fields import new_id
from stellar.errors import Conflict, Forbidden, Invalid, NotFound
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.nodes import allocations
from stellar.plugins.nodes.models import Node
from stellar.text import shows, tidy

from . import events
from .models import Server
from .permissions import require_scopes
from .reads import find
from .schemas import MAX_DESCRIPTION, MAX_NAME

STILL_ALLOWED = frozenset(
    {"servers.read", "servers.delete", "servers.suspend", "servers.resources"}
    | {"activity.read", "allocations.read", "crashes.read", "settings.read", "startup.read", "users.read"}
)
"""What can be done with a server that is suspended or being deleted: see what the panel knows of it, and steer it."""
MISSING = "There is no such server."


def get_server(actor: Actor, ref: str, action: str) -> Server:
    """The server with this id or short id, if ``actor`` may do ``action`` on it.

    ``NotFound`` where they may not even see it, ``Forbidden`` where they may not do that, ``Conflict`` while it is
    suspended or being deleted.
    """
    require_scopes(actor, "servers.read", action)
    return admit(actor, find(ref, actor.user_id), action)


def admit(actor: Actor, server: Server | None, action: str) -> Server:
    """``get_server`` for what has been found already."""
    if server is None:
        raise NotFound(MISSING)
    actor.require("servers.read", server, missing=MISSING)
    if not actor.allowed(action, server):
        given = is_server_action(action) and actor.user_id != server.owner_id
        raise Forbidden(f"You may not do this on this server; ask {'its owner' if given else 'an administrator'}.")
    if server.removing and action not in STILL_ALLOWED:
        raise Conflict("This server is being deleted.", code="removing")
    if server.suspended and action not in STILL_ALLOWED:
        raise Conflict("This server is suspended; ask an administrator.", code="suspended")
    return server


def locked(actor: Actor, ref: str, action: str) -> Server:
    """``get_server`` inside ``write_tx``: nobody else changes the server until that ends."""
    server = get_server(actor, ref, action)
    if not is_postgres():
        return server
    database.execute_sql("select id from servers_server where id = %s for no key update", (server.id,))
    return get_server(actor, server.id, action)


def joined() -> peewee.ModelSelect[Server]:
    """Servers with their node, blueprint and owner, in one query."""
    return (
        Server.select(Server, Node, Blueprint, User)
        .join_from(Server, Node)
        .join_from(Server, Blueprint)
        .join_from(Server, User)
    )


def ids_on_node(node_id: str) -> Sequence[str]:
    """The servers for which a node may speak."""
    return [row.id for row in Server.select(Server.id).where(Server.node == node_id)]


def ids_of_blueprint(blueprint_id: str) -> Sequence[str]:
    """The servers that are made from a blueprint."""
    return [row.id for row in Server.select(Server.id).where(Server.blueprint == blueprint_id)]


def before_action(actor: Actor, ref: str, action: str) -> Server:
    """``get_server`` for ``control.<action>``, after the plugins that may veto it."""
    server = get_server(actor, ref, f"control.{action}")
    events.ask(actor, server, action)
    return server


def after_action(actor: Actor, server: Server, action: str) -> None:
    """Note an action that the node has begun."""
    audit.record(actor, f"server.{action}", target_type="server", target_id=server.id)


def check_name(text: str) -> str:
    """A server's name as it is kept; ``Invalid`` for one that can't be seen, or that shows otherwise than it reads."""
    name = tidy(text)
    if name is None or not shows(name):
        raise Invalid("The name needs visible characters and no control characters.", fields={"name": "is not usable"})
    if len(name) > MAX_NAME:
        raise Invalid(f"The name may have at most {MAX_NAME} characters.", fields={"name": "is too long"})
    return name


def check_description(text: str) -> str:
    """A server's description as it is kept; ``Invalid`` for control characters other than line breaks."""
    description = tidy(text, lines=True)
    if description is None:
        message = "The description may not hold control characters."
        raise Invalid(message, fields={"description": "holds control characters"})
    if len(description) > MAX_DESCRIPTION:
        message = f"The description may have at most {MAX_DESCRIPTION} characters."
        raise Invalid(message, fields={"description": "is too long"})
    return description


def reinstall(actor: Actor, ref: str) -> None:
    """Install a server again, its files kept; ``Conflict`` unless it is offline or its install has failed."""
    with write_tx():
        server = locked(actor, ref, "settings.reinstall")
        if server.state not in ("offline", "install_failed"):
            raise Conflict(f"The server is {server.state.replace('_', ' ')}; stop it before installing it again.")
        events.ask(actor, server, "install")
        Server.update(install_id=new_id(), state="installing").where(Server.id == server.id).execute()
        audit.record(actor, "server.reinstall", target_type="server", target_id=server.id)
        after_commit(lambda: enqueue_install(server.id))


def enqueue_install(server_id: str) -> None:
    """Have the worker tell the node what is wanted; the node installs what is new."""
    jobs.enqueue("servers.install", {"server_id": server_id}, queue=names.QUEUE_DEPLOYMENTS)


def begin_delete(actor: Actor, ref: str) -> Server:
    """Mark a server as going: from now on its node is not told of it any more, and it can only be deleted."""
    with write_tx():
        server = get_server(actor, ref, "servers.delete")
        events.ask(actor, server, "delete")
        Server.update(removing=True).where(Server.id == server.id).execute()
    return server


def cancel_delete(server: Server) -> None:
    """Its node could not be told: it stays."""
    Server.update(removing=False).where(Server.id == server.id).execute()


def finish_delete(actor: Actor, server: Server) -> None:
    """Its node has removed it: forget it and free its ports."""
    with write_tx():
        allocations.release(server.id)
        if not Server.delete().where(Server.id == server.id).execute():
            return
        audit.record(actor, "server.delete", target_type="server", target_id=server.id, details={"name": server.name})
        after_commit(lambda: announce("server.deleted", server.id, server.owner_id))
        after_commit(lambda: events.tell(server, "deleted", {}))


def forget_node(actor: Actor, node_id: str) -> None:
    """Forget a node's servers, inside ``write_tx``: it goes, and with it the only machine that had them."""
    for server in list(Server.select().where(Server.node == node_id)):
        finish_delete(actor, server)


def announce(kind: str, server_id: str, owner_id: str | None = None) -> None:
    """Tell every page what has become of a server, and its owner also when there is nothing left to see."""
    sync.publish(names.EVENTS_GLOBAL, GlobalEvent(kind, server_id, {"user_id": owner_id} if owner_id else {}))


def new_short_id() -> str:
    """Eight hexadecimal digits that no server has."""
    while True:
        short_id = secrets.token_hex(4)
        if not Server.select().where(Server.short_id == short_id).exists():
            return short_id
