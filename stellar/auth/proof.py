"""Proving again who one is, before what a session that somebody has taken over must not be enough for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from .. import audit, db
from ..bus import bus, connections
from ..db import now
from ..errors import Forbidden, Invalid
from . import lockout, passkeys, signin, totp
from .passkeys import Place
from .permissions import Actor
from .schemas import Proof
from .sessions import Session

RECENT = timedelta(minutes=15)
"""How long signing in, or a proof, is enough for."""


async def require(session: Session) -> None:
    """Raise ``Forbidden`` unless who is signed in has proven who they are, a short while ago."""
    if now() - session.created_at < RECENT:
        return
    try:
        proven = await bus.current().redis.exists(_key(session))
    except connections.Gone:
        raise connections.away() from None
    if not proven:
        text = "Confirm that it is you, with your password, a code or a passkey (POST /api/v1/auth/proof); then go on."
        raise Forbidden(text, code="proof_required")


async def give(actor: Actor, session: Session, wanted: Proof, place: Place) -> None:
    """Take a password, a code or a passkey as proof; ``Forbidden`` for a wrong one, which counts as a guess."""
    if wanted.password is not None:
        await signin.check_password(actor, wanted.password, "password")
    elif wanted.code is not None:
        await lockout.second_attempt(actor.address, session.user_id, f"session-{session.id}")
        if await db.call(totp.use, session.user_id, wanted.code) is None:
            raise totp.wrong_code()
    elif wanted.credential is not None and wanted.token is not None:
        await _check_passkey(session, wanted.token, wanted.credential, place)
    else:
        text = "Give your password, a code of your authenticator app, or a passkey with its token."
        raise Invalid(text, fields={"password": text})
    try:
        await bus.current().redis.set(_key(session), b"1", ex=int(RECENT.total_seconds()))
    except connections.Gone:
        raise connections.away() from None
    await db.call(_note, actor)


async def _check_passkey(session: Session, token: str, credential: dict[str, Any], place: Place) -> None:
    if await db.call(passkeys.prove, credential, passkeys.first_key(token), place) != session.user_id:
        raise Forbidden("This is not one of your passkeys.", code="bad_credentials")


def _note(actor: Actor) -> None:
    audit.record(actor, "auth.proof", target_type="user", target_id=actor.user_id)


def _key(session: Session) -> str:
    return f"proof:{session.id}"
