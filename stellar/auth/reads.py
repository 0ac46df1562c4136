"""Accounts as the API shows them, straight from compiled queries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..db import Compiled, Param
from ..errors import NotFound
from .models import User
from .schemas import MeView, UserView

V = TypeVar("V", bound=UserView)

ACCOUNT = (
    *(User.id, User.email, User.name, User.role, User.theme, User.locale),
    *(User.suspended_at, User.created_at, User.time_zone),
)
"""The columns of ``account``."""


def me(user_id: str) -> MeView:
    """One's own account; ``NotFound``."""
    found = _me.first(id=user_id)
    if found is None:
        raise NotFound("There is no such user.")
    return found


def account(view: Callable[..., V], columns: Sequence[Any]) -> V:
    """A view of the kind ``view``, from the columns ``ACCOUNT`` and what it shows beside them."""
    *names, suspended_at, created_at, time_zone = columns[:9]
    return view(*names, suspended_at is not None, created_at, time_zone, *columns[9:])


def _my_view(*columns: Any) -> MeView:
    *known, verified_at, pending_email = columns
    return account(MeView, (*known, verified_at is not None, pending_email))


_me = Compiled(
    lambda: User.select(*ACCOUNT, User.email_verified_at, User.pending_email).where(User.id == Param("id")), _my_view
)
