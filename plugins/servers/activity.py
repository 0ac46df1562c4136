"""What was done with a server, out of the audit log, for those who may see the server."""

from __future__ import annotations

from stellar import audit
from stellar.auth.models import User
from stellar.auth.permissions import Actor

from .detail_schemas import ActivityEntry, ActivityPage, ActivityQuery
from .schemas import UserRef
from .service import get_server


def activity(actor: Actor, ref: str, query: ActivityQuery) -> ActivityPage:
    """A page of a server's record; who did it is named by account, never by e-mail address."""
    server = get_server(actor, ref, "activity.read")
    found = audit.list_page(before=query.before, size=query.limit, target_type="server", target_id=server.id)
    ids = {entry.actor_id for entry in found.entries if entry.actor_id is not None}
    users = {user.id: UserRef(user.id, user.name) for user in User.select(User.id, User.name).where(User.id << ids)}
    return ActivityPage([_entry(actor, entry, users) for entry in found.entries], found.next)


def _entry(actor: Actor, entry: audit.EntryView, users: dict[str, UserRef]) -> ActivityEntry:
    own = actor.is_admin or (entry.actor_id is not None and entry.actor_id == actor.user_id)
    return ActivityEntry(
        id=entry.id,
        at=entry.at,
        action=entry.action,
        actor=users.get(entry.actor_id or ""),
        address=entry.address if own else None,
        details=entry.details,
    )
