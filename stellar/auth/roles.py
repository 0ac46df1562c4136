"""Roles: sets of actions that accounts hold everywhere. Three are built in, others are rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar

import msgspec
import peewee

from .. import audit
from ..bus import names, sync
from ..bus.events import GlobalEvent
from ..db import after_commit, is_postgres, write_tx
from ..errors import Conflict, Forbidden, Invalid, NotFound
from ..text import shows, tidy
from . import permissions
from .models import Role, User
from .permissions import ADMIN, BUILTIN, CHANGED, USER, Actor, Kind

TITLES = {"admin": "Administrator", "support": "Support", "user": "User"}

_NAME = re.compile(r"[a-z][a-z0-9-]{1,15}")
_MISSING = "There is no such role."


class RoleView(msgspec.Struct):
    """A role; ``users`` is how many accounts have it. ``created_at`` is None for a built-in one."""

    name: str
    title: str
    builtin: bool
    actions: list[str]
    users: int
    created_at: datetime | None = None

    __example__: ClassVar[dict[str, Any]] = {
        "name": "helper",
        "title": "Helper",
        "actions": ["servers.read"],
        "users": 2,
    }


def listing() -> list[RoleView]:
    """Every role, the built-in ones first."""
    counted: Any = User.select(User.role, peewee.fn.COUNT(User.id)).group_by(User.role).tuples()
    counts = {str(role): int(count) for role, count in counted}
    built_in = [_builtin(name, counts.get(name, 0)) for name in BUILTIN]
    return [*built_in, *(_view(row, counts.get(row.name, 0)) for row in Role.select().order_by(Role.name))]


def show(name: str) -> RoleView:
    """One role; ``NotFound``."""
    users = User.select().where(User.role == name).count()
    return _builtin(name, users) if name in BUILTIN else _view(_row(name), users)


def create(actor: Actor, name: str, title: str, actions: Iterable[str]) -> RoleView:
    """Make a role of actions that ``actor`` holds everywhere; ``Conflict`` when the name is taken."""
    if not _NAME.fullmatch(name):
        text = "The name needs 2 to 16 lower-case letters, digits or dashes, and begins with a letter."
        raise Invalid(text, fields={"name": text})
    shown, listed = _title(title or name), _checked(actor, actions)
    taken = Conflict("There is already a role with this name.", code="role_exists", fields={"name": "is taken"})
    if name in BUILTIN:
        raise taken
    try:
        with write_tx():
            row = Role.create(name=name, title=shown, actions=listed)
            audit.record(actor, "role.create", target_type="role", target_id=name, details={"actions": listed})
    except peewee.IntegrityError:
        raise taken from None
    return _view(row, 0)


def change(actor: Actor, name: str, title: str | None, actions: Iterable[str] | None) -> RoleView:
    """Change a custom role; whoever has it may do what it now says at their next request, in every process."""
    with write_tx():
        row = _own(name)
        if title is not None:
            row.title = _title(title)
        if actions is not None:
            # What one doesn't hold oneself, one takes from nobody either.
            _require_held(actor, row.actions)
            row.actions = _checked(actor, actions)
        row.save()
        details = {"title": row.title, "actions": row.actions}
        audit.record(actor, "role.update", target_type="role", target_id=name, details=details)
        after_commit(lambda: announce(""))
    return show(name)


def delete(actor: Actor, name: str) -> None:
    """Delete a custom role; ``Conflict`` while an account has it."""
    with write_tx():
        row = _own(name)
        _require_held(actor, row.actions)
        if User.select().where(User.role == name).exists():
            raise Conflict("Accounts have this role; give them another one first.", code="role_in_use")
        row.delete_instance()
        audit.record(actor, "role.delete", target_type="role", target_id=name)


def require_assignable(actor: Actor, name: str) -> None:
    """Raise unless ``actor`` may give accounts this role: ``Invalid`` without such a role, ``Forbidden`` beyond them.

    Being a plain user is nothing that has to be held. Call it in the transaction that writes the account.
    """
    if name == USER:
        return
    try:
        actions = permissions.role_actions(name) if name in BUILTIN else frozenset(_row(name, lock=True).actions)
    except NotFound:
        raise Invalid(_MISSING, fields={"role": "is not a role"}) from None
    if name == ADMIN and not actor.is_admin and actor.kind != "system":
        raise _beyond()
    _require_held(actor, actions)


def require_over(actor: Actor, user: User) -> None:
    """Raise ``Forbidden`` unless the account is a plain user's or ``actor`` holds all that its role does.

    An API key has to hold it in its scopes too: taking over an administrator's account would give it everything.
    """
    if user.role == USER:
        return
    if user.role == ADMIN and not actor.is_admin and actor.kind != "system":
        raise _beyond()
    _require_held(actor, actions_of(user.role))


def refuse_own(actor: Actor, user: User) -> None:
    """Raise ``Conflict`` for one's own account, of which the settings page asks for the password."""
    if user.id == actor.user_id:
        text = "This is your own account; use your settings, which ask for your password."
        raise Conflict(text, code="own_account")


def actions_of(role: str) -> frozenset[str]:
    """What a role is made of now; nothing for one that has gone."""
    if role in BUILTIN:
        return permissions.role_actions(role)
    row = Role.get_or_none(Role.name == role)
    return frozenset(row.actions if row else ())


def granted_by(role: str) -> frozenset[str]:
    """``Actor.granted`` for a role: built-in ones need nothing there."""
    return frozenset() if role in BUILTIN else actions_of(role)


def actor_of_user(user: User, kind: Kind = "session") -> Actor:
    """The actor that an account is, outside of any request; for what is done in its name later."""
    return Actor(
        user_id=user.id,
        name=user.name,
        email=user.email,
        is_admin=user.role == ADMIN,
        kind=kind,
        role=user.role,
        granted=granted_by(user.role),
    )


def announce(user_id: str) -> None:
    """Have whatever is open look at the rights of a user again; of everybody for an empty id."""
    sync.publish(names.EVENTS_GLOBAL, GlobalEvent(CHANGED, user_id))


def _checked(actor: Actor, actions: Iterable[str]) -> list[str]:
    listed = sorted(set(actions))
    if unknown := [action for action in listed if not permissions.exists(action)]:
        text = f"There is no action {unknown[0]!r}."
        raise Invalid(text, fields={"actions": text})
    _require_held(actor, listed)
    return listed


def _require_held(actor: Actor, actions: Iterable[str]) -> None:
    for action in sorted(actions):
        if permissions.exists(action) and not actor.allowed(action):
            raise _beyond(action)


def _beyond(action: str | None = None) -> Forbidden:
    what = f" ({action})" if action else ""
    return Forbidden(f"This goes beyond what you may do yourself{what}; ask an administrator.", code="beyond_own")


def _own(name: str) -> Role:
    if name in BUILTIN:
        raise Conflict("This role is built in; make one of your own instead.", code="role_builtin")
    return _row(name, lock=True)


def _row(name: str, *, lock: bool = False) -> Role:
    query = Role.select().where(Role.name == name)
    row: Role | None = (query.for_update() if lock and is_postgres() else query).get_or_none()
    if row is None:
        raise NotFound(_MISSING)
    return row


def _title(title: str) -> str:
    trimmed = tidy(title)
    if trimmed is None or len(trimmed) > 60 or not shows(trimmed):
        text = "The title needs 1 to 60 visible characters."
        raise Invalid(text, fields={"title": text})
    return trimmed


def _builtin(name: str, users: int) -> RoleView:
    return RoleView(name, TITLES[name], True, sorted(permissions.role_actions(name)), users)


def _view(row: Role, users: int) -> RoleView:
    return RoleView(row.name, row.title, False, row.actions, users, row.created_at)
