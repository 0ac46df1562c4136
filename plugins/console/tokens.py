"""Console tokens: signed, short-lived, for one user, one session (or API key) and one server."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import sha256

import msgspec

from stellar.errors import Unauthenticated

MAX_LENGTH = 1024
_PURPOSE = b"stellar console token 1"


class Claims(msgspec.Struct, frozen=True, array_like=True):
    """What a token says. ``write`` allows input; ``expires`` is in seconds since the epoch.

    It comes from a session, or from the API key ``key_id``.
    """

    server_id: str
    user_id: str
    session_id: str
    write: bool
    expires: float
    key_id: str = ""


def sign(secret: bytes, claims: Claims) -> str:
    """The token for these claims; safe in a URL."""
    body = msgspec.json.encode(claims)
    return f"{_text(body)}.{_text(_signature(secret, body))}"


def verify(secret: bytes, token: str, now: float) -> Claims:
    """What a token says; ``Unauthenticated`` when it isn't ours, was changed, or has expired."""
    body, _, signature = token[:MAX_LENGTH].partition(".")
    try:
        encoded, given = _bytes(body), _bytes(signature)
    except (Base64Error, ValueError):
        raise _refused() from None
    if not hmac.compare_digest(given, _signature(secret, encoded)):
        raise _refused()
    claims = msgspec.json.decode(encoded, type=Claims)
    if claims.expires <= now:
        raise expired()
    return claims


def expired() -> Unauthenticated:
    """The error for a token that has had its time."""
    return Unauthenticated("The console token has expired; ask for a new one.", code="token_expired")


def _refused() -> Unauthenticated:
    return Unauthenticated("The console token is not valid; ask for a new one.", code="bad_token")


def _signature(secret: bytes, body: bytes) -> bytes:
    key = hmac.digest(secret, _PURPOSE, sha256)
    return hmac.digest(key, body, sha256)


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
