"""The second step of signing in, bound to the first: to its account, address and password, once, for five minutes."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from .. import audit, db
from ..bus import bus, connections
from ..errors import RateLimited, Unauthenticated
from ..http.ratelimits import network
from . import lockout, passkeys, totp, users
from .models import User
from .passkeys import Place
from .permissions import Actor

SECONDS = 300


class SecondStep(msgspec.Struct):
    """What the second step needs: its ``token`` goes to ``/auth/signin/second``, with a code of one of ``methods``."""

    token: str
    methods: list[str]
    expires_at: datetime


class Pending(msgspec.Struct):
    """What is kept of a first step; ``password_mark`` changes with the password."""

    user_id: str
    network: str
    password_mark: str


def methods_of(user_id: str) -> list[str]:
    """The second factors of an account; none means that the password is enough."""
    seen = totp.view(user_id)
    if not seen.totp:
        return []
    others = (("recovery", bool(seen.recovery_codes_left)), ("passkey", bool(passkeys.list_for(user_id))))
    return ["totp", *(name for name, usable in others if usable)]


async def begin(actor: Actor, user: User, methods: list[str]) -> SecondStep:
    """Remember a first step that succeeded."""
    token = secrets.token_urlsafe(32)
    pending = Pending(user.id, network(actor.address), _mark(user))
    try:
        await bus.current().redis.set(_key(token), msgspec.json.encode(pending), ex=SECONDS)
    except connections.Gone:
        raise connections.away() from None
    return SecondStep(token, methods, datetime.now(UTC) + timedelta(seconds=SECONDS))


async def passkey_options(actor: Actor, token: str, place: Place) -> dict[str, Any]:
    """What a browser needs to prove a passkey as the second step."""
    user = await _first_step(actor, token)
    return await db.call(passkeys.second_options, user.id, _key(token), place)


async def finish(actor: Actor, token: str, proof: str | dict[str, Any], place: Place) -> User:
    """The account whose second step succeeds with a code or a passkey; ``Unauthenticated`` otherwise.

    Wrong ones are counted before they are checked: per first step, per address and account, and per account.
    """
    user = await _first_step(actor, token)
    try:
        await lockout.second_attempt(actor.address, user.id, _key(token))
    except RateLimited:
        await _claim(token)
        raise
    if isinstance(proof, str):
        right = await db.call(totp.use, user.id, proof) is not None
    else:
        right = await db.call(passkeys.prove, proof, _key(token), place) == user.id
    if not right:
        await db.call(_note_failure, actor, user)
        raise Unauthenticated("This code is not valid; wait for the next one.", code="bad_code")
    if not await _claim(token):
        raise _expired()
    await lockout.second_succeeded(actor.address, user.id)
    return user


async def _first_step(actor: Actor, token: str) -> User:
    try:
        stored = await bus.current().redis.get(_key(token))
    except connections.Gone:
        raise connections.away() from None
    if stored is None:
        raise _expired()
    pending = msgspec.json.decode(stored, type=Pending)
    user = await db.call(users.get, pending.user_id)
    if pending.network != network(actor.address) or pending.password_mark != _mark(user):
        raise _expired()
    return user


async def _claim(token: str) -> bool:
    try:
        return bool(await bus.current().redis.delete(_key(token)))
    except connections.Gone:
        raise connections.away() from None


def _note_failure(actor: Actor, user: User) -> None:
    audit.record(actor, "auth.second_failed", target_type="user", target_id=user.id, details={"email": user.email})


def _expired() -> Unauthenticated:
    return Unauthenticated("This sign-in has expired; begin again with your password.", code="second_step_expired")


def _mark(user: User) -> str:
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:32]


def _key(token: str) -> str:
    return "signin:" + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
