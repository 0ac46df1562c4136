"""Accounts elsewhere that are linked to accounts here."""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import datetime
from typing import Any, ClassVar

import msgspec
import peewee

from .. import audit, db, settings
from ..bus import bus, connections
from ..db import now, write_tx
from ..errors import Conflict, Forbidden, Invalid, NotFound
from . import providers, users, ways
from .models import Identity, User
from .passkeys import Place
from .permissions import Actor
from .providers import Person, Provider

SECONDS = 600

log = logging.getLogger(__name__)


class IdentityView(msgspec.Struct):
    """An account elsewhere."""

    id: str
    provider: str
    name: str
    created_at: datetime

    __example__: ClassVar[dict[str, Any]] = {"provider": "github", "name": "ada"}


class Journey(msgspec.Struct):
    """What is kept while a browser signs in elsewhere; ``user_id`` is who wants to link an account."""

    provider: str
    nonce: str
    verifier: str
    browser: str
    next: str
    user_id: str | None = None


def list_for(user_id: str) -> list[IdentityView]:
    """The accounts elsewhere that are linked to an account."""
    rows = Identity.select().where(Identity.user == user_id).order_by(Identity.created_at)
    return [IdentityView(row.id, row.provider, row.name, row.created_at) for row in rows]


def unlink(actor: Actor, user_id: str, identity_id: str) -> None:
    """Unlink an account elsewhere; ``NotFound``."""
    with write_tx():
        if not Identity.delete().where((Identity.id == identity_id) & (Identity.user == user_id)).execute():
            raise NotFound("There is no such linked account.")
        ways.require_one(user_id)
        audit.record(actor, "auth.identity_unlinked", target_type="user", target_id=user_id)


async def set_out(provider: Provider, place: Place, browser: str, target: str, user_id: str | None) -> str:
    """The address to sign in elsewhere; ``browser`` is a secret of the browser that has to come back."""
    state = secrets.token_urlsafe(32)
    journey = Journey(
        provider.name, secrets.token_urlsafe(24), secrets.token_urlsafe(48), _hash(browser), target, user_id
    )
    try:
        url = await providers.authorize_url(provider, back(place, provider), state, journey.verifier, journey.nonce)
    except Exception as error:
        raise _unbelievable(provider, error) from error
    try:
        await bus.current().redis.set(_key(state), msgspec.json.encode(journey), ex=SECONDS)
    except connections.Gone:
        raise connections.away() from None
    return url


class Return(msgspec.Struct):
    """What the other service sends the browser back with."""

    state: str = ""
    code: str = ""
    error: str = ""


async def come_back(provider: Provider, place: Place, browser: str, told: Return) -> tuple[Journey, Person]:
    """Who has signed in elsewhere, and for what.

    ``Forbidden`` for another browser's or a second return, and for whoever has said no there.
    """
    try:
        stored = await bus.current().redis.getdel(_key(told.state))
    except connections.Gone:
        raise connections.away() from None
    journey = msgspec.json.decode(stored, type=Journey) if stored else None
    if journey is None or journey.provider != provider.name or journey.browser != _hash(browser):
        raise Forbidden("This sign-in was begun elsewhere or too long ago; begin again.", code="state_invalid")
    if told.error == "access_denied":
        raise Forbidden(f"You have not signed in with {provider.label}; begin again.", code="cancelled")
    if told.error:
        raise _unbelievable(provider, told.error[:200])
    try:
        who = await providers.person(provider, back(place, provider), told.code, journey.verifier, journey.nonce)
    except Exception as error:
        raise _unbelievable(provider, error) from error
    return journey, who


def back(place: Place, provider: Provider) -> str:
    """The address that a service sends the browser back to."""
    return f"{place.origin}/auth/oauth/{provider.name}/callback"


def link(actor: Actor, user_id: str, provider: Provider, who: Person) -> None:
    """Link an account elsewhere to the signed-in user's; ``Conflict`` when it is somebody else's already."""
    with write_tx():
        known = _known(provider, who)
        if known is not None and known.user_id != user_id:
            raise Conflict("That account is linked to somebody else here.", code="identity_taken")
        if known is None:
            _insert(users.get(user_id), provider, who)
            _note_link(actor, user_id, provider)


async def owner(actor: Actor, provider: Provider, who: Person) -> User:
    """Whose account it is: the linked one, else the one with the same address, both verified, else a new one.

    ``Forbidden`` when there is none and registration is closed.
    """
    found = await db.call(_owner, actor, provider, who)
    if found is not None:
        return found
    if who.email is None or not await db.call(settings.get, settings.OPEN_REGISTRATION):
        text = f"No account here is linked to this {provider.label} account; sign in and link it in your settings."
        raise Forbidden(text, code="not_linked")
    return await db.call(_register, provider, who)


def _owner(actor: Actor, provider: Provider, who: Person) -> User | None:
    with write_tx():
        known = _known(provider, who)
        if known is not None:
            return users.get(known.user_id)
        user = users.by_email(who.email) if who.email else None
        if user is None or user.email_verified_at is None:
            return None
        _insert(user, provider, who)
        owner = Actor(user.id, user.name, user.email, address=actor.address, request_id=actor.request_id)
        _note_link(owner, user.id, provider)
        return user


def _register(provider: Provider, who: Person) -> User:
    """An account without a password; its owner may set one with a reset link."""
    email = users.normal_email(who.email or "")
    with write_tx():
        user = users.insert(email, "", who.name.strip() or email.split("@", 1)[0], "user")
        User.update(email_verified_at=now()).where(User.id == user.id).execute()
        _insert(user, provider, who)
    return user


def _known(provider: Provider, who: Person) -> Identity | None:
    same = (Identity.provider == provider.name) & (Identity.subject == who.subject)
    found: Identity | None = Identity.get_or_none(same)
    return found


def _insert(user: User, provider: Provider, who: Person) -> None:
    try:
        Identity.create(user=user, provider=provider.name, subject=who.subject, name=who.email or who.name)
    except peewee.IntegrityError:
        raise Conflict("That account is linked to somebody here already.", code="identity_taken") from None


def _note_link(actor: Actor, user_id: str, provider: Provider) -> None:
    details = {"provider": provider.name}
    audit.record(actor, "auth.identity_linked", target_type="user", target_id=user_id, details=details)


def _unbelievable(provider: Provider, error: Exception | str) -> Invalid:
    log.warning("signing in with %s failed: %r", provider.name, error)
    return Invalid(f"{provider.label} gave no valid answer; begin again.", code="provider_failed")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _key(state: str) -> str:
    return f"oauth:{_hash(state)}"
