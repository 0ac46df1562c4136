"""The endpoints of API keys, roles and the list of actions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec

from .. import db
from ..bus.ratelimit import Limit
from ..http.declaration import SIGNED_IN
from ..http.endpoint import endpoint
from ..http.request import Request
from . import keys, permissions, proof, roles
from .keys import KeyView, NewKey
from .roles import RoleView

Action = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Actions = Annotated[list[Action], msgspec.Meta(max_length=500)]
Title = Annotated[str, msgspec.Meta(max_length=60)]
Address = Annotated[str, msgspec.Meta(min_length=2, max_length=49)]


class CreateKey(msgspec.Struct, forbid_unknown_fields=True):
    """``scopes`` are actions; without ``expires_at`` it lasts, without ``addresses`` (CIDR) it works from anywhere."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    scopes: Annotated[list[Action], msgspec.Meta(min_length=1, max_length=500)]
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    addresses: Annotated[list[Address], msgspec.Meta(max_length=50)] = []

    __example__: ClassVar[dict[str, Any]] = {
        "name": "backup script",
        "scopes": ["servers.read", "control.restart"],
        "expires_at": "2027-03-01T00:00:00Z",
        "addresses": ["203.0.113.0/24"],
    }


class CreateRole(msgspec.Struct, forbid_unknown_fields=True):
    """``name`` is what accounts have as their role; an empty title becomes the name."""

    name: Annotated[str, msgspec.Meta(min_length=2, max_length=16, pattern=r"^[a-z][a-z0-9-]*$(?!\n)")]
    actions: Actions
    title: Title = ""

    __example__: ClassVar[dict[str, Any]] = {"name": "helper", "actions": ["servers.read"], "title": "Helper"}


class PatchRole(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; what is left out stays."""

    title: Title | msgspec.UnsetType = msgspec.UNSET
    actions: Actions | msgspec.UnsetType = msgspec.UNSET

    __example__: ClassVar[dict[str, Any]] = {"title": "Helper", "actions": ["servers.read", "control.restart"]}


class ActionView(msgspec.Struct):
    """An action: ``scope`` is ``server`` for those that members of a server can hold. ``held``: the caller's own."""

    action: str
    description: str
    plugin: str
    scope: str
    held: bool

    __example__: ClassVar[dict[str, Any]] = {
        "action": "control.start",
        "description": "Start the server",
        "plugin": "servers",
        "scope": "server",
        "held": True,
    }


class KeysResource:
    """``/users/me/keys``."""

    @endpoint(permission=SIGNED_IN, returns=list[KeyView])
    async def on_get(self, req: Request) -> list[KeyView]:
        """List one's own API keys."""
        return await db.call(keys.list_for, req.require_session().user_id)

    @endpoint(permission=SIGNED_IN, body=CreateKey, returns=NewKey, status=201, limit=Limit(30, 3600))
    async def on_post(self, req: Request, body: CreateKey) -> NewKey:
        """Make an API key; its token is in this answer and never shown again."""
        await proof.require(req.require_session())
        return await db.call(keys.create, req.actor, body.name, body.scopes, body.expires_at, body.addresses)


class OneKeyResource:
    """``/users/me/keys/{key_id}``."""

    @endpoint(permission=SIGNED_IN)
    async def on_delete(self, req: Request, key_id: str) -> None:
        """Revoke one of one's own API keys."""
        req.require_session()
        await db.call(keys.revoke, req.actor, key_id)


class ActionsResource:
    """``/permissions``."""

    @endpoint(permission=SIGNED_IN, returns=list[ActionView], keys=True)
    async def on_get(self, req: Request) -> list[ActionView]:
        """List the actions that there are: scopes of keys, parts of roles, what members of servers hold."""
        return await db.call(_actions, req.actor)


class RolesResource:
    """``/admin/roles``."""

    @endpoint(permission="roles.read", returns=list[RoleView])
    async def on_get(self, req: Request) -> list[RoleView]:
        """List the roles, built-in ones first."""
        return await db.call(roles.listing)

    @endpoint(permission="roles.manage", body=CreateRole, returns=RoleView, status=201)
    async def on_post(self, req: Request, body: CreateRole) -> RoleView:
        """Make a role of actions that one holds oneself."""
        return await db.call(roles.create, req.actor, body.name, body.title, body.actions)


class OneRoleResource:
    """``/admin/roles/{name}``."""

    @endpoint(permission="roles.read", returns=RoleView)
    async def on_get(self, req: Request, name: str) -> RoleView:
        """Show a role."""
        return await db.call(roles.show, name)

    @endpoint(permission="roles.manage", body=PatchRole, returns=RoleView)
    async def on_patch(self, req: Request, name: str, body: PatchRole) -> RoleView:
        """Change a custom role; it counts from the next request of everybody who has it."""
        title = body.title if isinstance(body.title, str) else None
        actions = body.actions if isinstance(body.actions, list) else None
        return await db.call(roles.change, req.actor, name, title, actions)

    @endpoint(permission="roles.manage")
    async def on_delete(self, req: Request, name: str) -> None:
        """Delete a custom role that no account has."""
        await db.call(roles.delete, req.actor, name)


ROUTES: dict[str, object] = {
    "/users/me/keys": KeysResource(),
    "/users/me/keys/{key_id}": OneKeyResource(),
    "/permissions": ActionsResource(),
    "/admin/roles": RolesResource(),
    "/admin/roles/{name}": OneRoleResource(),
}


def _actions(actor: permissions.Actor) -> list[ActionView]:
    return [
        ActionView(one.action, one.description, one.plugin, one.scope, permissions.may_try(actor, one.action))
        for one in sorted(permissions.known(), key=lambda one: one.action)
    ]
