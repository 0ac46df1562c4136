"""The ways in to an account: who takes one away has to keep another."""

from __future__ import annotations

from ..errors import Conflict
from . import users
from .models import Identity, Passkey


def require_one(user_id: str) -> None:
    """Raise ``Conflict`` when an account can't be signed in to any more; call it in the transaction that takes away."""
    if users.get(user_id).password_hash:
        return
    if any(table.select().where(table.user == user_id).exists() for table in (Passkey, Identity)):
        return
    text = "This is the last way to sign in to your account; set a password first, with a reset link."
    raise Conflict(text, code="last_way_in")
