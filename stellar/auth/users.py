"""Accounts: the rules, as plain functions."""

from __future__ import annotations

import re
import unicodedata
import zoneinfo
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import peewee

from ..bus import names, sync
from ..bus.events import GlobalEvent
from ..db import after_commit, is_postgres, now, write_tx
from ..errors import Conflict, Invalid, NotFound
from . import links, passwords, sessions
from .models import User
from .permissions import CHANGED, Role

PAGE = 50
THEMES = ("system", "light", "dark")

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>\"(),:;\\\[\]]{1,64}@[^@\s\x00-\x1f\x7f<>\"(),:;\\\[\]]{1,189}")
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Page(msgspec.Struct):
    """Some users and how many there are."""

    users: list[User]
    total: int


def create(email: str, password: str, name: str = "", role: Role = "user") -> User:
    """Make an account; ``Conflict`` when the address is taken. Hashes the password: some 20 ms."""
    checked = normal_email(email)
    passwords.check_new(password, checked)
    return insert(checked, passwords.hash_password(password), name or checked.split("@", 1)[0], role)


def insert(email: str, password_hash: str, name: str, role: Role) -> User:
    """Make an account from a password that is already checked and hashed."""
    try:
        with write_tx():
            return User.create(
                email=normal_email(email), name=normal_name(name), password_hash=password_hash, role=role
            )
    except peewee.IntegrityError:
        text = "There is already an account with this e-mail address."
        raise Conflict(text, code="email_taken", fields={"email": text}) from None


def get(user_id: str) -> User:
    """An account by id; ``NotFound``."""
    found: User | None = User.get_or_none(User.id == user_id)
    if found is None:
        raise NotFound("There is no such user.")
    return found


def by_email(email: str) -> User | None:
    """An account by address, however it is written."""
    found: User | None = User.get_or_none(User.email == fold_email(email))
    return found


def list_page(
    page: int = 1,
    size: int = PAGE,
    search: str = "",
    *,
    role: str | None = None,
    suspended: bool | None = None,
    sort: str = "email",
) -> Page:
    """Users, ``size`` a page; ``search`` looks into address and name, ``sort`` is a field, with ``-`` descending."""
    query = User.select()
    if search:
        query = query.where(User.email.contains(fold_email(search)) | User.name.contains(search))
    if role is not None:
        query = query.where(User.role == role)
    if suspended is not None:
        query = query.where(User.suspended_at.is_null(not suspended))
    fields: dict[str, Any] = {"email": User.email, "name": User.name, "created_at": User.created_at}
    field = fields[sort.removeprefix("-")]
    order = field.desc() if sort.startswith("-") else field.asc()
    rows = list(query.order_by(order, User.id).paginate(page, size))
    return Page(rows, query.count())


def every() -> Iterator[User]:
    """All accounts by address, as they come from the database."""
    return iter(User.select().order_by(User.email).iterator())


def count() -> int:
    """How many accounts there are."""
    return User.select().count()


def update_profile(
    user_id: str,
    *,
    name: str | None = None,
    theme: str | None = None,
    locale: str | None = None,
    time_zone: str | None = None,
) -> User:
    """Change what users may change of themselves; None leaves a field alone."""
    changes: dict[str, str] = {}
    if name is not None:
        changes["name"] = normal_name(name)
    if theme is not None:
        changes["theme"] = _one_of("theme", theme, THEMES)
    if locale is not None:
        changes["locale"] = _checked_locale(locale)
    if time_zone is not None:
        changes["time_zone"] = _checked_zone(time_zone)
    return _change(user_id, changes)


def set_role(user_id: str, role: Role) -> User:
    """Make an account an administrator's, or a plain user's; the last administrator stays one."""
    with write_tx():
        if role != "admin":
            keep_an_admin(get(user_id))
        after_commit(lambda: sync.publish(names.EVENTS_GLOBAL, GlobalEvent(CHANGED, user_id)))
        after_commit(lambda: sessions.end_impersonations(user_id))
        return _change(user_id, {"role": role})


def set_password(user_id: str, password_hash: str, keep_session: str | None = None) -> None:
    """Set a new password hash, end the user's other sessions, and let reset links stop working."""
    with write_tx():
        User.update(password_hash=password_hash).where(User.id == user_id).execute()
        links.withdraw(links.RESET, get(user_id))
        after_commit(lambda: sessions.end_all(user_id, keep_session))


def suspend(user_id: str) -> User:
    """Suspend an account and end its sessions at once; the last administrator can't be suspended."""
    with write_tx():
        user = get(user_id)
        keep_an_admin(user)
        if user.suspended_at is None:
            user.suspended_at = now()
            user.save(only=[User.suspended_at])
    sessions.end_all(user_id)
    return user


def unsuspend(user_id: str) -> User:
    """Let a suspended account in again."""
    with write_tx():
        User.update(suspended_at=None).where(User.id == user_id).execute()
        return get(user_id)


@cache
def zones() -> frozenset[str]:
    """The names of the time zones."""
    return frozenset(zoneinfo.available_timezones() | {"UTC"})


def fold_email(email: str) -> str:
    """How addresses are compared and kept."""
    return unicodedata.normalize("NFC", email.strip().casefold())


def normal_email(email: str) -> str:
    """A checked address as it is kept; ``Invalid``."""
    folded = fold_email(email)
    if len(folded) > 254 or not _EMAIL.fullmatch(folded):
        text = "This is not an e-mail address."
        raise Invalid(text, fields={"email": text})
    return folded


def normal_name(name: str) -> str:
    """A checked display name; ``Invalid``."""
    trimmed = unicodedata.normalize("NFC", name.strip())
    if not 1 <= len(trimmed) <= 100 or _CONTROL.search(trimmed):
        text = "The name needs 1 to 100 characters, without line breaks or control characters."
        raise Invalid(text, fields={"name": text})
    return trimmed


def _change(user_id: str, changes: dict[str, str]) -> User:
    if changes:
        User.update(**changes).where(User.id == user_id).execute()
    user = get(user_id)
    after_commit(lambda: sessions.refresh(user))
    return user


def keep_an_admin(user: User) -> None:
    """``Conflict`` when this is the last active administrator; call it in the transaction that takes the role away."""
    if user.role != "admin" or user.suspended_at is not None:
        return
    admins = User.select(User.id).where((User.role == "admin") & User.suspended_at.is_null()).order_by(User.id)
    # Two administrators can't remove each other at the same time: PostgreSQL locks these rows, SQLite everything.
    rows = admins.for_update() if is_postgres() else admins
    if all(row.id == user.id for row in rows):
        raise Conflict("This is the last administrator; make somebody else one first.", code="last_admin")


def _one_of(field: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        text = f"The {field} has to be one of {', '.join(choices)}."
        raise Invalid(text, fields={field: text})
    return value


def _checked_locale(locale: str) -> str:
    if not _LOCALE.fullmatch(locale):
        text = "The locale has to look like en or pt-BR."
        raise Invalid(text, fields={"locale": text})
    return locale


def _checked_zone(zone: str) -> str:
    if zone not in zones():
        text = "The time zone has to be UTC or a name such as Europe/Lisbon."
        raise Invalid(text, fields={"time_zone": text})
    return zone
