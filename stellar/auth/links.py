"""One-time links: a random token for somebody's eyes, its hash in the database."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from ..db import now
from ..errors import NotFound
from .models import Link, User

RESET = "reset"
"""The kind of links to a new password."""

EMAIL = "email"
"""The kind of links that confirm an address."""


def issue(kind: str, lifetime: timedelta, user: User | None = None, email: str | None = None) -> str:
    """Make a link and answer its token; earlier unused links of the same kind and user stop working."""
    token = secrets.token_urlsafe(32)
    withdraw(kind, user)
    Link.create(kind=kind, token_hash=_hash(token), user=user, email=email, expires_at=now() + lifetime)
    return token


def withdraw(kind: str, user: User | None) -> None:
    """Let a user's unused links of a kind stop working."""
    Link.delete().where((Link.kind == kind) & (Link.user == user) & Link.used_at.is_null()).execute()


def find(kind: str, token: str) -> Link:
    """The link that a token still opens; ``NotFound`` when it is unknown, used or expired."""
    link: Link | None = Link.get_or_none((Link.kind == kind) & (Link.token_hash == _hash(token)))
    if link is None or link.used_at is not None or link.expires_at <= now():
        raise invalid()
    return link


def use(kind: str, token: str) -> Link:
    """Use up a link, once whatever happens at the same time; call it in the transaction of what it allows."""
    link = find(kind, token)
    if not Link.update(used_at=now()).where((Link.id == link.id) & Link.used_at.is_null()).execute():
        raise invalid()
    return link


def invalid() -> NotFound:
    """The error for a link that is unknown, used or expired."""
    return NotFound("This link is not valid any more; ask for a new one.", code="link_invalid")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
