"""The rules of administration: nobody locks everybody out, and every change is in the audit log."""

from __future__ import annotations

from typing import Any

import msgspec
import peewee

from stellar import audit
from stellar.auth import roles, sessions, users
from stellar.auth.models import User
from stellar.auth.permissions import Actor
from stellar.db import database, is_postgres, write_tx
from stellar.errors import Conflict
from stellar.plugins.servers.models import Server

from .accounts import get_account
from .schemas import AccountView, CreateUser, PatchUser, ServerFigures, UserFigures


def create_account(actor: Actor, wanted: CreateUser, password_hash: str) -> AccountView:
    """Make an account, its password checked and hashed already; ``Conflict`` when the address is taken."""
    with write_tx():
        roles.require_assignable(actor, wanted.role)
        name = wanted.name or wanted.email.split("@", 1)[0]
        user = users.insert(wanted.email, password_hash, name, wanted.role)
        details = {"email": user.email, "role": user.role}
        audit.record(actor, "user.create", target_type="user", target_id=user.id, details=details)
    return get_account(user.id)


def change_account(actor: Actor, user_id: str, changes: PatchUser) -> AccountView:
    """Change an account, all of it or nothing; suspending ends its sessions at once.

    ``Conflict`` for suspending or demoting oneself or the last active administrator.
    """
    with write_tx():
        user = users.get(user_id)
        _refuse_own(actor, user, changes)
        roles.require_over(actor, user)
        if isinstance(changes.name, str):
            users.update_profile(user.id, name=changes.name, theme=None, locale=None)
        if changes.role is not msgspec.UNSET and changes.role != user.role:
            roles.require_assignable(actor, changes.role)
            users.set_role(user.id, changes.role)
        if isinstance(changes.suspended, bool) and changes.suspended != (user.suspended_at is not None):
            (users.suspend if changes.suspended else users.unsuspend)(user.id)
        audit.record(actor, "user.update", target_type="user", target_id=user.id, details=_given(changes))
    return get_account(user_id)


def delete_account(actor: Actor, user_id: str) -> None:
    """Delete an account with its sessions and keys.

    ``Conflict`` for one's own, the last active administrator's, and one that owns servers or anything else that stays.
    """
    with write_tx():
        user = users.get(user_id)
        if user.id == actor.user_id:
            raise Conflict("You can't delete your own account; ask another administrator.", code="own_account")
        roles.require_over(actor, user)
        users.keep_an_admin(user.id)
        if owned := Server.select().where(Server.owner == user.id).count():
            text = f"This account owns {owned} {'server' if owned == 1 else 'servers'}; delete them first."
            raise Conflict(text, code="owns_servers")
        audit.record(actor, "user.delete", target_type="user", target_id=user.id, details={"email": user.email})
        try:
            with database.atomic():
                User.delete().where(User.id == user.id).execute()
        except peewee.IntegrityError:
            raise Conflict("Something still belongs to this account; remove that first.", code="in_use") from None
    sessions.end_all(user.id)
    roles.announce(user.id)


def user_figures() -> UserFigures:
    """Numbers of accounts."""
    total = User.select().count()
    admins = User.select().where(User.role == "admin").count()
    suspended = User.select().where(User.suspended_at.is_null(False)).count()
    return UserFigures(total, admins, suspended)


def server_figures() -> ServerFigures:
    """Numbers of servers."""
    rows: Any = Server.select(Server.state, peewee.fn.COUNT(Server.id)).group_by(Server.state).tuples()
    states = {str(state): int(count) for state, count in rows}
    suspended = Server.select().where(Server.suspended).count()
    return ServerFigures(sum(states.values()), suspended, states)


def database_version() -> str:
    """The database's name and version."""
    if is_postgres():
        version = database.execute_sql("show server_version").fetchone()[0]
        return f"PostgreSQL {str(version).split()[0]}"
    return f"SQLite {database.execute_sql('select sqlite_version()').fetchone()[0]}"


def _refuse_own(actor: Actor, user: User, changes: PatchUser) -> None:
    if user.id == actor.user_id and (changes.suspended is True or changes.role not in (msgspec.UNSET, user.role)):
        raise Conflict("You can't suspend or demote yourself; ask another administrator.", code="own_account")


def _given(changes: PatchUser) -> dict[str, Any]:
    return {field: value for field, value in msgspec.structs.asdict(changes).items() if value is not msgspec.UNSET}
