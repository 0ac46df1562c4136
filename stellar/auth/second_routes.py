"""The endpoints of the second factor."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from .. import db
from ..bus.ratelimit import Limit
from ..http.answers import Answer
from ..http.declaration import SIGNED_IN
from ..http.endpoint import endpoint
from ..http.request import Request
from . import lockout, signin, totp
from .cookies import cookie_of
from .schemas import Password
from .totp import Enrolment, RecoveryCodes, SecondFactorView

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64, examples=["123456"])]
LIMIT = Limit(20, 600)


class WithPassword(msgspec.Struct, forbid_unknown_fields=True):
    """One's password."""

    password: Password

    __example__: ClassVar[dict[str, Any]] = {"password": "correct horse battery"}


class WithCode(msgspec.Struct, forbid_unknown_fields=True):
    """A code of the authenticator app."""

    code: Code


class WithBoth(msgspec.Struct, forbid_unknown_fields=True):
    """One's password, and a code of the authenticator app or a recovery code."""

    password: Password
    code: Code

    __example__: ClassVar[dict[str, Any]] = {"password": "correct horse battery"}


class SecondFactorResource:
    """``/auth/second-factor``."""

    @endpoint(permission=SIGNED_IN, returns=SecondFactorView)
    async def on_get(self, req: Request) -> SecondFactorView:
        """Which second factors one has."""
        return await db.call(totp.view, req.require_session().user_id)


class TotpResource:
    """``/auth/second-factor/totp``."""

    @endpoint(permission=SIGNED_IN, body=WithPassword, returns=Enrolment, status=201, limit=LIMIT)
    async def on_post(self, req: Request, body: WithPassword) -> Enrolment:
        """Begin with an authenticator app: its secret, which counts once a code confirms it."""
        session = req.require_session()
        await signin.check_password(req.actor, body.password, "password")
        return await db.call(totp.enrol, session.user_id)


class ConfirmTotpResource:
    """``/auth/second-factor/totp/confirm``."""

    @endpoint(permission=SIGNED_IN, body=WithCode, returns=RecoveryCodes, limit=LIMIT)
    async def on_post(self, req: Request, body: WithCode) -> Answer:
        """Turn two-factor sign-in on with a first code; answers the recovery codes, once, and another cookie."""
        session = req.require_session()
        codes = await db.call(totp.confirm, req.actor, session.user_id, body.code)
        return Answer(codes, cookies=(cookie_of(await db.call(signin.replace, session)),))


class DisableTotpResource:
    """``/auth/second-factor/totp/disable``."""

    @endpoint(permission=SIGNED_IN, body=WithBoth, limit=LIMIT)
    async def on_post(self, req: Request, body: WithBoth) -> None:
        """Turn two-factor sign-in off."""
        await db.call(totp.disable, req.actor, await _proven(req, body), body.code)


class RecoveryCodesResource:
    """``/auth/second-factor/recovery-codes``."""

    @endpoint(permission=SIGNED_IN, body=WithBoth, returns=RecoveryCodes, status=201, limit=LIMIT)
    async def on_post(self, req: Request, body: WithBoth) -> RecoveryCodes:
        """Make new recovery codes; the earlier ones stop working."""
        return await db.call(totp.renew_codes, req.actor, await _proven(req, body), body.code)


class RemoveForResource:
    """``/admin/users/{user_id}/second-factor``."""

    @endpoint(permission="accounts.manage")
    async def on_delete(self, req: Request, user_id: str) -> None:
        """Turn two-factor sign-in off for somebody who has lost their authenticator and recovery codes."""
        await db.call(totp.remove_for, req.actor, user_id)


ROUTES: dict[str, object] = {
    "/auth/second-factor": SecondFactorResource(),
    "/auth/second-factor/totp": TotpResource(),
    "/auth/second-factor/totp/confirm": ConfirmTotpResource(),
    "/auth/second-factor/totp/disable": DisableTotpResource(),
    "/auth/second-factor/recovery-codes": RecoveryCodesResource(),
    "/admin/users/{user_id}/second-factor": RemoveForResource(),
}


async def _proven(req: Request, body: WithBoth) -> str:
    """The caller's own id, after their password and before their code, whose guesses are counted as at sign-in."""
    session = req.require_session()
    await signin.check_password(req.actor, body.password, "password")
    await lockout.second_attempt(req.actor.address, session.user_id, f"session-{session.id}")
    return session.user_id
