"""The first account, made through a one-time link that only whoever starts the panel sees."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ..db import write_tx
from ..errors import Conflict
from . import links, users
from .models import User

if TYPE_CHECKING:
    from ..config import Config

KIND = "setup"
LIFETIME = timedelta(hours=24)


def needed() -> bool:
    """Whether there is no account yet."""
    return users.count() == 0


def setup_url(config: Config) -> str | None:
    """A new set-up link, valid for a day; None once there is an account. Earlier links stop working."""
    with write_tx():
        if not needed():
            return None
        token = links.issue(KIND, LIFETIME)
    return f"{config.public_url}/setup?token={token}"


def check(token: str) -> None:
    """Raise ``Conflict`` when there is an account already, ``NotFound`` for a link that isn't valid."""
    if not needed():
        raise Conflict("The panel is set up already; sign in.", code="already_set_up")
    links.find(KIND, token)


def finish(token: str, email: str, password_hash: str, name: str) -> User:
    """Use the link and make the first administrator, both or neither."""
    with write_tx():
        check(token)
        links.use(KIND, token)
        return users.insert(email, password_hash, name, "admin")
