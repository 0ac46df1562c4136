"""The endpoints of one's own account: profile, address, activity, and a forgotten password."""

from __future__ import annotations

from .. import audit, db
from ..bus.ratelimit import Limit
from ..http.declaration import SIGNED_IN
from ..http.endpoint import endpoint
from ..http.request import Request
from . import emails, profile, reads, resets
from .schemas import (
    ActivityQuery,
    ChangeProfile,
    ConfirmEmail,
    ForgotPassword,
    MeView,
    OneTimeLink,
    ResetPassword,
    Sent,
    UserView,
    me_of,
    view_of,
)


class MeResource:
    """``/users/me``."""

    @endpoint(permission=SIGNED_IN, returns=MeView, keys=True)
    async def on_get(self, req: Request) -> MeView:
        """One's own account."""
        assert req.actor.user_id is not None
        return await db.read(reads.me, req.actor.user_id)

    @endpoint(permission=SIGNED_IN, body=ChangeProfile, returns=MeView, audit="user.change_profile")
    async def on_patch(self, req: Request, body: ChangeProfile) -> MeView:
        """Change one's own name, preferences, and (with the password, confirmed by mail) e-mail address."""
        return me_of(await profile.change(req, body))


class ActivityResource:
    """``/users/me/activity``."""

    @endpoint(permission=SIGNED_IN, query=ActivityQuery, returns=audit.Page)
    async def on_get(self, req: Request, query: ActivityQuery) -> audit.Page:
        """What one has done, the newest first."""
        assert req.actor.user_id is not None
        return await db.call(audit.list_page, before=query.before, size=query.limit, actor_id=req.actor.user_id)


class ConfirmationResource:
    """``/users/me/email/confirmation``."""

    @endpoint(permission=SIGNED_IN, returns=Sent, status=202, limit=Limit(5, 600))
    async def on_post(self, req: Request) -> Sent:
        """Mail the confirmation of one's address again."""
        session = req.require_session()
        return Sent(await db.call(profile.ask_confirmation, req.actor, req.config, session.user_id))


class ConfirmResource:
    """``/auth/email/confirm``."""

    @endpoint(permission=None, body=ConfirmEmail, limit=Limit(30, 600), problems=(404,))
    async def on_post(self, req: Request, body: ConfirmEmail) -> None:
        """Confirm an address with the token of a link."""
        await db.call(emails.confirm, req.actor, req.config, body.token)


class ForgotResource:
    """``/auth/password/forgot``."""

    @endpoint(permission=None, body=ForgotPassword, returns=Sent, status=202, limit=Limit(20, 600))
    async def on_post(self, req: Request, body: ForgotPassword) -> Sent:
        """Have a link to a new password mailed; the answer is the same whether or not there is such an account."""
        await resets.ask(req.actor, req.config, body.email)
        return Sent("If there is an account with this address, a link to a new password is on its way.")


class ResetResource:
    """``/auth/password/reset``."""

    @endpoint(permission=None, body=ResetPassword, limit=Limit(20, 600), problems=(404,))
    async def on_post(self, req: Request, body: ResetPassword) -> None:
        """Set a new password with the token of a link; ends all sessions of the account."""
        await resets.finish(req.actor, body.token, body.password)


class ResetLinkResource:
    """``/admin/users/{user_id}/reset-link``."""

    @endpoint(permission="accounts.manage", returns=OneTimeLink, status=201)
    async def on_post(self, req: Request, user_id: str) -> OneTimeLink:
        """Make a link to a new password, to hand to the account's owner; earlier ones stop working."""
        return OneTimeLink(*await db.call(resets.link_by, req.actor, req.config, user_id))


class ConfirmForResource:
    """``/admin/users/{user_id}/confirm-email``."""

    @endpoint(permission="accounts.manage", returns=UserView)
    async def on_post(self, req: Request, user_id: str) -> UserView:
        """Confirm the address that an account waits for, in its owner's place."""
        return view_of(await db.call(emails.confirm_by, req.actor, req.config, user_id))


ROUTES: dict[str, object] = {
    "/users/me": MeResource(),
    "/users/me/activity": ActivityResource(),
    "/users/me/email/confirmation": ConfirmationResource(),
    "/auth/email/confirm": ConfirmResource(),
    "/auth/password/forgot": ForgotResource(),
    "/auth/password/reset": ResetResource(),
    "/admin/users/{user_id}/reset-link": ResetLinkResource(),
    "/admin/users/{user_id}/confirm-email": ConfirmForResource(),
}
