"""Finding the user or role that somebody names on a command line."""

from __future__ import annotations

from ..commands.meant import did_you_mean
from ..errors import NotFound
from . import roles, users
from .models import User


def find_user(ref: str) -> User:
    """A user by address or id; ``NotFound`` says who may have been meant."""
    found = users.by_email(ref)
    if found is not None:
        return found
    try:
        return users.get(ref)
    except NotFound:
        hint = did_you_mean(users.fold_email(ref), (one.email for one in users.every()))
        raise NotFound(f"There is no user {ref}. {hint or '`stellar user list` has them all.'}") from None


def find_role(name: str) -> str:
    """The name of a role that there is; ``NotFound`` otherwise."""
    known = [one.name for one in roles.listing()]
    if name not in known:
        hint = did_you_mean(name, known) or f"There are {', '.join(known)}."
        raise NotFound(f"There is no such role as {name}. {hint}")
    return name
