"""Signing up where the panel sends mail: there is an account once a link has confirmed the address.

So nobody learns by signing up whether an address has an account, and nobody gets one with somebody else's address.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, cast

import msgspec

from .. import db, jobs
from ..bus import connections, sync
from ..db import now, write_tx
from . import links, lockout, users
from .jobs import SIGN_UP
from .models import User
from .permissions import Actor

if TYPE_CHECKING:
    from ..config import Config

SECONDS = 86_400


class Pending(msgspec.Struct):
    """An account that waits for its address to be confirmed."""

    email: str
    name: str
    password_hash: str
    next: str = ""
    """The page to go to afterwards, as it came: nobody has checked that it is one of this panel."""


async def ask(actor: Actor, wanted: Pending) -> None:
    """Have a link mailed; nothing here depends on whether there is such an account, neither answer nor time."""
    if await lockout.mail_asked(actor.address, wanted.email, "signup"):
        await db.call(_enqueue, wanted)


def asked(request: str) -> Pending | None:
    """What the mail of a request is about; None once it is too old."""
    return _read(_request_key(request))


def find(token: str) -> Pending:
    """What a link's token makes an account of; ``NotFound`` when it is unknown, used or expired."""
    found = _read(_link_key(token))
    if found is None:
        raise links.invalid()
    return found


def link_for(config: Config, wanted: Pending) -> str:
    """A new link that makes the account, once and for a day."""
    token = secrets.token_urlsafe(32)
    _keep(_link_key(token), wanted)
    return f"{config.public_url}/auth/signup/finish?token={token}"


def finish(token: str) -> User:
    """Make the account of a link; ``Conflict`` when its address has one by now."""
    wanted = find(token)
    try:
        if not sync.client().delete(_link_key(token)):
            raise links.invalid()
    except connections.Gone:
        raise connections.away() from None
    with write_tx():
        made = users.insert(wanted.email, wanted.password_hash, wanted.name, "user")
        User.update(email_verified_at=now()).where(User.id == made.id).execute()
    return users.get(made.id)


def _enqueue(wanted: Pending) -> None:
    request = secrets.token_urlsafe(16)
    _keep(_request_key(request), wanted)
    jobs.enqueue(SIGN_UP, {"request": request})


def _keep(key: str, wanted: Pending) -> None:
    try:
        sync.client().set(key, msgspec.json.encode(wanted), ex=SECONDS)
    except connections.Gone:
        raise connections.away() from None


def _read(key: str) -> Pending | None:
    try:
        stored = cast("bytes | None", sync.client().get(key))
    except connections.Gone:
        raise connections.away() from None
    return None if stored is None else msgspec.json.decode(stored, type=Pending)


def _link_key(token: str) -> str:
    return "signup:" + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _request_key(request: str) -> str:
    return f"signup:request:{request}"
