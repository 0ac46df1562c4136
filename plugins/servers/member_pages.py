"""The pages of a server's members, and of the invitation that a link opens."""

from __future__ import annotations

import msgspec

from stellar.auth.permissions import Actor
from stellar.db import call
from stellar.extend.registry import PageRegistrar
from stellar.http.answers import Answer, Html
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.web.actions import groups
from stellar.web.site import page

from . import invitations, members
from .member_schemas import InvitationView, MemberView
from .pages import server_row
from .permissions import presets


def add_pages(pages: PageRegistrar) -> None:
    """Register them."""
    pages.add("/servers/{server_id}/members", MembersPage())
    pages.add("/invitations", InvitationPage())


class MembersPage:
    """``/servers/{server_id}/members``"""

    @endpoint(permission="users.read", returns=Html)
    async def on_get(self, req: Request, server_id: str) -> Answer:
        """Who may do what on a server, and who is invited."""
        found, waiting = await call(_people, req.actor, server_id)
        _, shown = await server_row(req.actor, server_id)
        offered = groups(lambda permission: permission.scope == "server" and permission.action in shown.may)
        grantable = {name: actions for name, actions in presets().items() if shown.may.issuperset(actions)}
        return await page(
            req,
            "servers/members.html",
            server=shown,
            members=found,
            invitations=waiting,
            groups=offered,
            presets=grantable,
        )


class TokenQuery(msgspec.Struct):
    """``token`` comes with the link."""

    token: str = ""


class InvitationPage:
    """``/invitations``"""

    @endpoint(permission="signed_in", query=TokenQuery, returns=Html)
    async def on_get(self, req: Request, query: TokenQuery) -> Answer:
        """The invitation that a link holds, and the button that accepts it."""
        server, inviter = await call(invitations.preview, query.token)
        # The token must not travel to another page in a Referer header.
        answer = await page(req, "servers/invitation.html", token=query.token, server=server, inviter=inviter)
        answer.headers = {**answer.headers, "Referrer-Policy": "no-referrer"}
        return answer


def _people(actor: Actor, ref: str) -> tuple[list[MemberView], list[InvitationView]]:
    return members.list_members(actor, ref), invitations.list_waiting(actor, ref)
