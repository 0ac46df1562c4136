"""Acting as somebody else: an administrator takes a user's place for a while, and both names are in the audit log."""

from __future__ import annotations

from .. import audit
from ..db import write_tx
from ..errors import Conflict, Forbidden, Unauthenticated
from . import roles, sessions, users
from .permissions import ADMIN, Actor
from .sessions import Impersonator, NewSession, Session

ACTION = "accounts.impersonate"


def begin(actor: Actor, session: Session, user_id: str, user_agent: str) -> NewSession:
    """Begin a session as the account ``user_id``; the administrator's own one stays, to return to.

    ``Forbidden`` for an administrator's account, or one that may do more than ``actor``.
    """
    actor.require(ACTION)
    if session.impersonator is not None:
        raise Conflict("You act as somebody else already; end that first.", code="impersonating")
    with write_tx():
        user = users.get(user_id)
        if user.id == actor.user_id:
            raise Conflict("This is your own account.", code="own_account")
        if user.role == ADMIN:
            raise Forbidden("Nobody can act as an administrator.", code="impersonate_admin")
        roles.require_over(actor, user)
        if user.suspended_at is not None:
            raise Conflict("This account is suspended; let it in again first.", code="suspended")
        details = {"email": user.email, "impersonator": session.email}
        audit.record(actor, "user.impersonate", target_type="user", target_id=user.id, details=details)
    behind = Impersonator(session.user_id, session.name, session.email, session.id)
    begun = sessions.create(user, actor.address, user_agent, behind)
    # Read again: who was promoted or suspended in between has had the sessions ended that were known then.
    now = users.get(user_id)
    if now.role != user.role or now.suspended_at is not None:
        sessions.end(user.id, begun.session.id)
        raise Conflict("The account has just changed; try again.", code="changed")
    return begun


def end(actor: Actor, session: Session, user_agent: str) -> NewSession:
    """Return to the administrator's account, in a new session that replaces the one they began from.

    ``Unauthenticated`` when that one has ended meanwhile, ``Conflict`` for whoever acts as themselves.
    """
    behind = session.impersonator
    if behind is None:
        raise Conflict("You act as yourself.", code="not_impersonating")
    own = sessions.find(behind.id, behind.session_id)
    sessions.end(session.user_id, session.id)
    details = {"email": session.email, "impersonator": behind.email}
    audit.record(actor, "user.impersonate_end", target_type="user", target_id=session.user_id, details=details)
    if own is None or own.impersonator is not None:
        raise Unauthenticated("Your own session has ended; sign in again.", code="session_ended")
    user = users.get(behind.id)
    if user.suspended_at is not None:
        raise Forbidden("This account is suspended; ask an administrator.", code="suspended")
    sessions.end(own.user_id, own.id)
    return sessions.create(user, actor.address, user_agent, begun_at=own.created_at)
