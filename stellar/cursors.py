"""Cursors of pages: where a page ended, signed, so that nobody can make one up or use another's."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

import msgspec

from .errors import Invalid

MAX_LENGTH = 1024
_PURPOSE = b"stellar list cursor 1"
_SIGNATURE = 16
"""Bytes; a guess would have to hit all of them."""


class Position(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page: the order (``-name``), its value in it, and its id."""

    sort: str
    value: str
    id: str


def seal(secret: bytes, user_id: str | None, position: Position) -> str:
    """The cursor for a position, of use to this user alone; safe in a URL."""
    body = msgspec.json.encode(position)
    return urlsafe_b64encode(_signature(secret, user_id, body) + body).rstrip(b"=").decode()


def unseal(secret: bytes, user_id: str | None, cursor: str) -> Position:
    """What ``seal`` was given; ``Invalid`` for anything else."""
    try:
        data = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except ValueError:
        raise refused() from None
    signature, body = data[:_SIGNATURE], data[_SIGNATURE:]
    canonical = urlsafe_b64encode(data).rstrip(b"=").decode() == cursor
    if not canonical or not hmac.compare_digest(signature, _signature(secret, user_id, body)):
        raise refused()
    return msgspec.json.decode(body, type=Position)


def refused() -> Invalid:
    """The error for a cursor that isn't ours, was changed, or belongs to another order or user."""
    message = "The cursor `after` is not valid here; begin with the first page."
    return Invalid(message, fields={"after": "is not a cursor of this list"})


def _signature(secret: bytes, user_id: str | None, body: bytes) -> bytes:
    key = hmac.digest(secret, _PURPOSE, sha256)
    return hmac.digest(key, f"{user_id or ''}\n".encode() + body, sha256)[:_SIGNATURE]
