"""Accounts: the rules, as plain functions."""

from __future__ import annotations

import re
import unicodedata
import zoneinfo
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import peewee

from ..bus import names, sync
from ..bus.events import GlobalEvent
from ..db import after_commit, database, is_postgres, now, write_tx
from ..errors import Conflict, Invalid, NotFound
from ..text import shows, tidy
from . import links, passwords, sessions
from .models import User
from .permissions import CHANGED, Role

THEMES = ("system", "light", "dark")
ADMINS_LOCK = 0x41444D494E53
"""A number of our own for pg_advisory_xact_lock: "ADMINS" in ASCII."""

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f<>\"(),:;\\\[\]]{1,64}@[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")


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


def lock(user_id: str) -> None:
    """In a transaction: let what an account may have be counted by one of them at a time."""
    if is_postgres():
        database.execute_sql("select id from auth_user where id = %s for no key update", (user_id,))


def by_email(email: str) -> User | None:
    """An account by address, however it is written."""
    found: User | None = User.get_or_none(User.email == fold_email(email))
    return found


def matching(
    columns: Sequence[Any], search: str = "", *, role: str | None = None, suspended: bool | None = None
) -> Any:
    """A query of accounts; ``search`` looks into address and name."""
    query = User.select(*columns)
    if search:
        query = query.where(User.email.contains(fold_email(search)) | User.name.contains(search))
    if role is not None:
        query = query.where(User.role == role)
    if suspended is not None:
        query = query.where(User.suspended_at.is_null(not suspended))
    return query


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
        _count_admins_alone()
        if role != "admin":
            keep_an_admin(user_id)
        user = _change(user_id, {"role": role})
        after_commit(lambda: sessions.end_impersonations(user_id))
        # Last: whoever looks at the rights again because of it has to find the new ones in the session.
        after_commit(lambda: sync.publish(names.EVENTS_GLOBAL, GlobalEvent(CHANGED, user_id)))
        return user


def set_password(user_id: str, password_hash: str, keep_session: str | None = None) -> None:
    """Set a new password hash, end the user's other sessions, and let reset links stop working.

    Another address that waits to be confirmed is forgotten: who asked for it may be why the password is a new one.
    """
    with write_tx():
        User.update(password_hash=password_hash).where(User.id == user_id).execute()
        user = get(user_id)
        links.withdraw(links.RESET, user)
        if user.pending_email not in (None, user.email):
            links.withdraw(links.EMAIL, user)
            User.update(pending_email=None).where(User.id == user_id).execute()
        after_commit(lambda: sessions.end_all(user_id, keep_session))


def suspend(user_id: str) -> User:
    """Suspend an account and end its sessions at once; the last administrator can't be suspended."""
    with write_tx():
        user = keep_an_admin(user_id)
        if user.suspended_at is None:
            user.suspended_at = now()
            user.save(only=[User.suspended_at])
        after_commit(lambda: sessions.end_all(user_id))
        # What is open by an API key has no session that could end.
        after_commit(lambda: sync.publish(names.EVENTS_GLOBAL, GlobalEvent(CHANGED, user_id)))
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
    """How addresses are compared and kept: the domain as the network knows it, which look-alikes don't pass."""
    local, at, domain = unicodedata.normalize("NFC", email.strip().casefold()).rpartition("@")
    try:
        return local + at + (domain.encode("idna").decode() if at else domain)
    except UnicodeError:
        return local + at + domain


def normal_email(email: str) -> str:
    """A checked address as it is kept; ``Invalid``."""
    folded = fold_email(email)
    if len(folded) > 254 or not _EMAIL.fullmatch(folded) or tidy(folded) != folded or not _plain(email.strip()):
        text = "This is not an e-mail address."
        raise Invalid(text, fields={"email": text})
    return folded


def normal_name(name: str) -> str:
    """A checked display name; ``Invalid``."""
    trimmed = tidy(name)
    if trimmed is None or len(trimmed) > 100 or not shows(trimmed):
        text = "The name needs 1 to 100 visible characters, without line breaks or control characters."
        raise Invalid(text, fields={"name": text})
    return trimmed


def _plain(email: str) -> bool:
    """Whether an address hides nothing, and folding it changes nothing but its case.

    Mail for ``\u017fam@…`` (a long s) must not go to ``sam@…``.
    """
    composed = unicodedata.normalize("NFC", email)
    lowered = composed.lower()
    same = email.isprintable() and len(lowered) == len(composed)
    return same and unicodedata.normalize("NFKC", lowered.casefold()) == lowered


def _change(user_id: str, changes: dict[str, str]) -> User:
    if changes:
        User.update(**changes).where(User.id == user_id).execute()
    user = get(user_id)
    after_commit(lambda: sessions.refresh(user_id))
    return user


def keep_an_admin(user_id: str) -> User:
    """The account, in the transaction that takes its role away; ``Conflict`` for the last active administrator's."""
    _count_admins_alone()
    user = get(user_id)
    if user.role != "admin" or user.suspended_at is not None:
        return user
    others = (User.role == "admin") & User.suspended_at.is_null() & (User.id != user_id)
    if not User.select().where(others).exists():
        raise Conflict("This is the last administrator; make somebody else one first.", code="last_admin")
    return user


def _count_admins_alone() -> None:
    """Let one transaction at a time make or unmake administrators: SQLite does, PostgreSQL has to be told."""
    if is_postgres():
        database.execute_sql("select pg_advisory_xact_lock(%s)", (ADMINS_LOCK,))


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
