"""Accounts as administrators see them, with how many servers each owns."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import peewee

from stellar.auth import users
from stellar.auth.models import User
from stellar.auth.reads import ACCOUNT, account
from stellar.db import Compiled, Param
from stellar.errors import NotFound
from stellar.plugins.servers.models import Server

from .schemas import AccountPage, AccountView, UsersQuery

SORTS: dict[str, Any] = {"email": User.email, "name": User.name, "created_at": User.created_at}


def list_accounts(query: UsersQuery) -> AccountPage:
    """A page of accounts."""
    wanted = (query.search, query.role, query.suspended)
    found = _page(*wanted, query.sort).all(size=query.size, offset=(query.page - 1) * query.size)
    return AccountPage(found, _total(*wanted).first() or 0)


def get_account(user_id: str) -> AccountView:
    """One account; ``NotFound``."""
    found = _one.first(id=user_id)
    if found is None:
        raise NotFound("There is no such user.")
    return found


def _view(*columns: Any) -> AccountView:
    return account(AccountView, columns)


def _columns() -> tuple[Any, ...]:
    owned = Server.select(peewee.fn.COUNT(Server.id)).where(Server.owner == User.id)
    return (*ACCOUNT, owned, User.pending_email)


@lru_cache(maxsize=64)
def _page(search: str, role: str | None, suspended: bool | None, sort: str) -> Compiled[AccountView]:
    field = SORTS[sort.removeprefix("-")]
    order = field.desc() if sort.startswith("-") else field.asc()

    def build() -> Any:
        found = users.matching(_columns(), search, role=role, suspended=suspended)
        return found.order_by(order, User.id).limit(Param("size")).offset(Param("offset"))

    return Compiled(build, _view)


@lru_cache(maxsize=64)
def _total(search: str, role: str | None, suspended: bool | None) -> Compiled[int]:
    counted = (peewee.fn.COUNT(User.id),)
    return Compiled(partial(users.matching, counted, search, role=role, suspended=suspended), int)


_one = Compiled(lambda: User.select(*_columns()).where(User.id == Param("id")), _view)
