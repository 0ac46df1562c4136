"""Sessions in Redis: ``session:{sha256 of the token}``, with an index per user so that all of them can end at once.

A session holds what a request needs to know of its user, so that looking it up is one round trip and no query.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec

from ..bus import bus, connections, names, sync
from ..bus.events import GlobalEvent
from .models import User

TOUCH_SECONDS = 600.0
"""A session that is used has its expiry pushed back at most this often per process."""

TOUCHED_KEPT = 10_000

ENDED = "sessions.ended"
"""The kind of the global event that sessions of the user ``id`` have ended: long-lived sockets check theirs again."""


LONGEST = timedelta(days=180)
"""A session ends after this time even if it is used every day."""

IMPERSONATION_SECONDS = 3600
"""How long an administrator may act as somebody else before they have to begin anew; use doesn't prolong it."""


class Impersonator(msgspec.Struct):
    """The administrator behind a session of somebody else, and their own session, to which they return."""

    id: str
    name: str
    email: str
    session_id: str


class Session(msgspec.Struct):
    """``id`` is public, the token isn't kept; times are aware UTC."""

    id: str
    user_id: str
    email: str
    name: str
    role: str
    theme: str
    locale: str
    user_created_at: datetime
    csrf_token: str
    created_at: datetime
    address: str
    user_agent: str
    time_zone: str = "UTC"
    impersonator: Impersonator | None = None


class NewSession(msgspec.Struct):
    """A session that has just begun; ``token`` is for the cookie alone."""

    token: str
    session: Session
    expires_at: datetime


_ttl = 30 * 86_400
_touched: OrderedDict[str, float] = OrderedDict()
_decoder = msgspec.json.Decoder(Session)


def configure(days: int) -> None:
    """Set after how many days without use a session ends."""
    global _ttl
    _ttl = days * 86_400
    _touched.clear()


def ttl() -> int:
    """Seconds that an unused session lasts."""
    return _ttl


def expires_at(session: Session | None = None) -> datetime:
    """When a session that is used now ends if it isn't used again."""
    if session is not None and session.impersonator is not None:
        return session.created_at + timedelta(seconds=IMPERSONATION_SECONDS)
    return datetime.now(UTC) + timedelta(seconds=ttl() if session is None else _left(session))


async def look_up(token: str) -> tuple[Session, bool] | None:
    """The session of a cookie, and whether its expiry has just been pushed back; None when there is none."""
    if len(token) > 100:
        return None
    digest = token_hash(token)
    key = names.session(digest)
    client = bus.current().redis
    try:
        stored = await client.get(key)
        if stored is None:
            return None
        session = _decoder.decode(stored)
        if session.impersonator is not None or not _due(digest):
            return session, False
        if not await client.expire(key, _left(session)):
            return None
        await client.expire(_index(session.user_id), _ttl)
    except connections.Gone:
        raise connections.away() from None
    return session, True


def create(
    user: User,
    address: str,
    user_agent: str,
    impersonator: Impersonator | None = None,
    *,
    csrf_token: str | None = None,
    begun_at: datetime | None = None,
) -> NewSession:
    """Begin a session; the token is 256 random bits.

    One with an ``impersonator`` is also in their index: it ends with their sessions. One that replaces another keeps
    its ``csrf_token``, for the pages that are open, and unless its owner has proven who they are, its ``begun_at``.
    """
    token = secrets.token_urlsafe(32)
    digest = token_hash(token)
    session = Session(
        id=_public_id(digest),
        csrf_token=csrf_token or secrets.token_urlsafe(24),
        created_at=begun_at or datetime.now(UTC),
        address=address,
        user_agent=user_agent[:200],
        user_id=user.id,
        impersonator=impersonator,
        **_of_user(user),
    )
    seconds = _left(session) if impersonator is None else IMPERSONATION_SECONDS
    client = sync.client()
    try:
        client.set(names.session(digest), msgspec.json.encode(session), ex=seconds)
        for owner in {user.id} if impersonator is None else {user.id, impersonator.id}:
            client.sadd(_index(owner), digest)
            client.expire(_index(owner), ttl())
    except connections.Gone:
        raise connections.away() from None
    return NewSession(token, session, datetime.now(UTC) + timedelta(seconds=seconds))


def list_for(user_id: str) -> list[Session]:
    """A user's sessions, the newest first."""
    found = [session for _, session in _all(user_id)]
    return sorted(found, key=lambda session: session.created_at, reverse=True)


def find(user_id: str, session_id: str) -> Session | None:
    """A user's session by its id; None once it has ended."""
    return next((session for _, session in _all(user_id) if session.id == session_id), None)


def refresh(user_id: str) -> None:
    """Let a user's sessions know of the account as it is now.

    Reads again after writing: of two that do this at the same time, neither leaves an older state behind.
    """
    told: dict[str, Any] | None = None
    while (user := User.get_or_none(User.id == user_id)) is not None and (state := _of_user(user)) != told:
        for digest, session in _all(user_id):
            changed = msgspec.structs.replace(session, **state)
            sync.client().set(names.session(digest), msgspec.json.encode(changed), xx=True, keepttl=True)
        told = state


def end(user_id: str, session_id: str) -> bool:
    """End one session of a user; False when they have no such session."""
    for digest in _digests(user_id):
        if _public_id(digest) == session_id:
            _remove(user_id, [digest])
            return True
    return False


def end_all(user_id: str, keep: str | None = None) -> int:
    """End a user's sessions at once, except the one with the id ``keep``; answers how many."""
    digests = [digest for digest in _digests(user_id) if _public_id(digest) != keep]
    _remove(user_id, digests)
    return len(digests)


def end_impersonations(user_id: str) -> None:
    """End the sessions in which a user acts as somebody else, or somebody else as them: their rights have changed."""
    found = [digest for digest, session in _indexed(user_id) if session.impersonator is not None]
    _remove(user_id, found)


def token_hash(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def _all(user_id: str) -> list[tuple[str, Session]]:
    """A user's sessions, without those in which they act as somebody else."""
    return [(digest, session) for digest, session in _indexed(user_id) if session.user_id == user_id]


def _indexed(user_id: str) -> list[tuple[str, Session]]:
    digests = _digests(user_id)
    client = sync.client()
    try:
        stored = [cast("bytes | None", client.get(names.session(digest))) for digest in digests]
        if gone := [digest for digest, value in zip(digests, stored, strict=True) if value is None]:
            client.srem(_index(user_id), *gone)
    except connections.Gone:
        raise connections.away() from None
    return [(digest, _decoder.decode(value)) for digest, value in zip(digests, stored, strict=True) if value]


def _digests(user_id: str) -> list[str]:
    try:
        return [digest.decode() for digest in cast("set[bytes]", sync.client().smembers(_index(user_id)))]
    except connections.Gone:
        raise connections.away() from None


def _remove(user_id: str, digests: list[str]) -> None:
    if not digests:
        return
    client = sync.client()
    try:
        stored = cast("list[bytes | None]", client.mget([names.session(digest) for digest in digests]))
        for digest in digests:
            client.delete(names.session(digest))
        client.srem(_index(user_id), *digests)
        for owner in {user_id, *(_decoder.decode(value).user_id for value in stored if value)}:
            sync.publish(names.EVENTS_GLOBAL, GlobalEvent(ENDED, owner))
    except connections.Gone:
        raise connections.away() from None


def _of_user(user: User) -> dict[str, Any]:
    return {
        "email": user.email,
        "name": user.name,
        "role": user.role,
        "theme": user.theme,
        "locale": user.locale,
        "time_zone": user.time_zone,
        "user_created_at": user.created_at,
    }


def _due(digest: str) -> bool:
    now = time.monotonic()
    last = _touched.get(digest)
    if last is not None and now - last < TOUCH_SECONDS:
        return False
    _touched[digest] = now
    _touched.move_to_end(digest)
    while len(_touched) > TOUCHED_KEPT:
        _touched.popitem(last=False)
    return True


def _left(session: Session) -> int:
    """Seconds that a session which is used now may still last, at least one."""
    longest = max(LONGEST, timedelta(seconds=_ttl))
    return max(1, min(_ttl, int((session.created_at + longest - datetime.now(UTC)).total_seconds())))


def _public_id(digest: str) -> str:
    return digest[:32]


def _index(user_id: str) -> str:
    return f"sessions:{user_id}"
