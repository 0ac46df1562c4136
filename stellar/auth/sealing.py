"""Secrets that have to be kept readable: encrypted with the installation's own key, which isn't in the database."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


def seal(text: str, purpose: str) -> str:
    """The text, encrypted and authenticated."""
    return _box(purpose).encrypt(text.encode()).decode()


def unseal(sealed: str, purpose: str) -> str | None:
    """What was sealed; None when it was with another key or for another purpose."""
    from cryptography.fernet import InvalidToken

    try:
        return _box(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def _box(purpose: str) -> Fernet:
    from cryptography.fernet import Fernet

    from .. import panel

    key = hmac.digest(panel.current().config.secret(), purpose.encode(), hashlib.sha256)
    return Fernet(base64.urlsafe_b64encode(key))
