"""The endpoints of passkeys."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from .. import db
from ..bus.ratelimit import Limit
from ..http.declaration import SIGNED_IN
from ..http.endpoint import endpoint
from ..http.request import Request
from . import passkeys, proof, second, signin
from .passkeys import PasskeyView
from .schemas import Name, Password, Token

LIMIT = Limit(30, 600)


class BeginPasskey(msgspec.Struct, forbid_unknown_fields=True):
    """One's password."""

    password: Password

    __example__: ClassVar[dict[str, Any]] = {"password": "correct horse battery"}


class AddPasskey(msgspec.Struct, forbid_unknown_fields=True):
    """A name, and what the browser made of the options."""

    name: Name
    credential: dict[str, Any]

    __example__: ClassVar[dict[str, Any]] = {"name": "Phone", "credential": {"id": "q83vEjRW", "type": "public-key"}}


class RenamePasskey(msgspec.Struct, forbid_unknown_fields=True):
    """The new name."""

    name: Name

    __example__: ClassVar[dict[str, Any]] = {"name": "Phone"}


class StepToken(msgspec.Struct, forbid_unknown_fields=True):
    """The token that the first step answered."""

    token: Token


class PasskeyOptions(msgspec.Struct):
    """``options`` are for the browser, as JSON (WebAuthn Level 3); ``token`` belongs to them."""

    token: str
    options: dict[str, Any]

    __example__: ClassVar[dict[str, Any]] = {
        "options": {"challenge": "q83vEjRW", "rpId": "panel.example.com", "userVerification": "required"}
    }


class PasskeysResource:
    """``/auth/passkeys``."""

    @endpoint(permission=SIGNED_IN, returns=list[PasskeyView])
    async def on_get(self, req: Request) -> list[PasskeyView]:
        """List one's own passkeys."""
        return await db.call(passkeys.list_for, req.require_session().user_id)

    @endpoint(permission=SIGNED_IN, body=AddPasskey, returns=PasskeyView, status=201, limit=LIMIT)
    async def on_post(self, req: Request, body: AddPasskey) -> PasskeyView:
        """Add a passkey that the browser has made from the options."""
        user_id = req.require_session().user_id
        place = passkeys.place_of(req)
        return await db.call(passkeys.register, req.actor, user_id, body.name, body.credential, place)


class PasskeyOptionsResource:
    """``/auth/passkeys/options``."""

    @endpoint(permission=SIGNED_IN, body=BeginPasskey, returns=dict[str, Any], limit=LIMIT)
    async def on_post(self, req: Request, body: BeginPasskey) -> dict[str, Any]:
        """Begin to add a passkey: the options for the browser."""
        session = req.require_session()
        await signin.check_password(req.actor, body.password, "password")
        return await db.call(passkeys.registration_options, session.user_id, session.id, passkeys.place_of(req))


class OnePasskeyResource:
    """``/auth/passkeys/{passkey_id}``."""

    @endpoint(permission=SIGNED_IN, body=RenamePasskey, returns=PasskeyView, audit="auth.passkey_renamed")
    async def on_patch(self, req: Request, passkey_id: str, body: RenamePasskey) -> PasskeyView:
        """Rename one of one's own passkeys."""
        return await db.call(passkeys.rename, req.require_session().user_id, passkey_id, body.name)

    @endpoint(permission=SIGNED_IN)
    async def on_delete(self, req: Request, passkey_id: str) -> None:
        """Delete one of one's own passkeys."""
        session = req.require_session()
        await proof.require(session)
        await db.call(passkeys.delete, req.actor, session.user_id, passkey_id)


class FirstOptionsResource:
    """``/auth/signin/passkey/options``."""

    @endpoint(permission=None, returns=PasskeyOptions, limit=Limit(60, 60))
    async def on_post(self, req: Request) -> PasskeyOptions:
        """Begin to sign in with a passkey alone: the options for the browser."""
        return PasskeyOptions(*await db.call(passkeys.first_options, passkeys.place_of(req)))


class SecondOptionsResource:
    """``/auth/signin/second/options``."""

    @endpoint(permission=None, body=StepToken, returns=PasskeyOptions, limit=Limit(60, 60), problems=(401,))
    async def on_post(self, req: Request, body: StepToken) -> PasskeyOptions:
        """Prove a passkey in the second step: the options for the browser."""
        options = await second.passkey_options(req.actor, body.token, passkeys.place_of(req))
        return PasskeyOptions(body.token, options)


ROUTES: dict[str, object] = {
    "/auth/passkeys": PasskeysResource(),
    "/auth/passkeys/options": PasskeyOptionsResource(),
    "/auth/passkeys/{passkey_id}": OnePasskeyResource(),
    "/auth/signin/passkey/options": FirstOptionsResource(),
    "/auth/signin/second/options": SecondOptionsResource(),
}
