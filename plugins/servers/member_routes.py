"""The API of members and invitations."""

from __future__ import annotations

from stellar.bus.ratelimit import Limit
from stellar.db import call
from stellar.extend.registry import RouteRegistrar
from stellar.http.endpoint import endpoint
from stellar.http.request import Request

from . import invitations, members
from .member_schemas import (
    AcceptInvitation,
    Action,
    Grant,
    InvitationView,
    Joined,
    MadeInvitation,
    MemberView,
    NewInvitation,
    NewMember,
    PresetView,
)
from .permissions import presets

ADDING = Limit(60, 3600)
"""Adding tells whether an address has an account."""


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/servers/presets", Presets())
    routes.add("/servers/{server_id}/permissions", Held())
    routes.add("/servers/{server_id}/members", Members())
    routes.add("/servers/{server_id}/members/{user_id}", OneMember())
    routes.add("/servers/{server_id}/invitations", Invitations())
    routes.add("/servers/{server_id}/invitations/{invitation_id}", OneInvitation())
    routes.add("/invitations/accept", Acceptance())


class Presets:
    """``/servers/presets``"""

    @endpoint(permission="signed_in", returns=list[PresetView], keys=True)
    async def on_get(self, req: Request) -> list[PresetView]:
        """List the presets for members."""
        return [PresetView(name, actions) for name, actions in presets().items()]


class Held:
    """``/servers/{server_id}/permissions``"""

    @endpoint(permission="servers.read", returns=list[Action])
    async def on_get(self, req: Request, server_id: str) -> list[str]:
        """List what the caller may do on a server."""
        return await call(members.held, req.actor, server_id)


class Members:
    """``/servers/{server_id}/members``"""

    @endpoint(permission="users.read", returns=list[MemberView])
    async def on_get(self, req: Request, server_id: str) -> list[MemberView]:
        """List who may do what on a server, its owner first."""
        return await call(members.list_members, req.actor, server_id)

    @endpoint(permission="users.create", body=NewMember, returns=MemberView, status=201, limit=ADDING)
    async def on_post(self, req: Request, server_id: str, body: NewMember) -> MemberView:
        """Make an existing account a member."""
        return await call(members.add, req.actor, server_id, body.email, body)


class OneMember:
    """``/servers/{server_id}/members/{user_id}``"""

    @endpoint(permission="users.update", body=Grant, returns=MemberView)
    async def on_patch(self, req: Request, server_id: str, user_id: str, body: Grant) -> MemberView:
        """Change what a member may do."""
        return await call(members.change, req.actor, server_id, user_id, body)

    @endpoint(permission="servers.read")
    async def on_delete(self, req: Request, server_id: str, user_id: str) -> None:
        """Remove a member (which takes ``users.delete``), or leave."""
        await call(members.remove, req.actor, server_id, user_id)


class Invitations:
    """``/servers/{server_id}/invitations``"""

    @endpoint(permission="users.read", returns=list[InvitationView])
    async def on_get(self, req: Request, server_id: str) -> list[InvitationView]:
        """List the invitations that wait."""
        return await call(invitations.list_waiting, req.actor, server_id)

    @endpoint(permission="users.create", body=NewInvitation, returns=MadeInvitation, status=201, limit=ADDING)
    async def on_post(self, req: Request, server_id: str, body: NewInvitation) -> MadeInvitation:
        """Invite whoever has an e-mail address, with or without an account; mailed where the panel sends mail."""
        return await call(invitations.create, req.actor, server_id, body)


class OneInvitation:
    """``/servers/{server_id}/invitations/{invitation_id}``"""

    @endpoint(permission="users.delete")
    async def on_delete(self, req: Request, server_id: str, invitation_id: str) -> None:
        """Take an invitation back."""
        await call(invitations.withdraw, req.actor, server_id, invitation_id)


class Acceptance:
    """``/invitations/accept``"""

    @endpoint(permission="signed_in", body=AcceptInvitation, returns=Joined, limit=Limit(30, 600), problems=(404,))
    async def on_post(self, req: Request, body: AcceptInvitation) -> Joined:
        """Accept an invitation that was made for one's own e-mail address."""
        return await call(invitations.accept, req.actor, body.token)
