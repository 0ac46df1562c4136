"""The address of an account: a new one counts once its owner has confirmed it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import peewee

from .. import audit, jobs, mail
from ..db import after_commit, now, write_tx
from ..errors import Conflict
from . import links, roles, sessions, users
from .jobs import CHANGED, CONFIRM
from .models import User
from .permissions import Actor

if TYPE_CHECKING:
    from ..config import Config

LIFETIME = timedelta(days=1)


def change(actor: Actor, config: Config, user_id: str, email: str) -> None:
    """Note a new address and mail its confirmation; whether it is taken shows only when it is confirmed."""
    wanted = users.normal_email(email)
    with write_tx():
        user = users.get(user_id)
        links.withdraw(links.EMAIL, user)
        pending = None if wanted == user.email and user.email_verified_at is not None else wanted
        User.update(pending_email=pending).where(User.id == user_id).execute()
        if pending is None:
            return
        if wanted != user.email:
            audit.record(actor, "user.email_asked", target_type="user", target_id=user_id, details={"email": wanted})
    mail_confirmation(config, user_id)


def mail_confirmation(config: Config, user_id: str) -> bool:
    """Have the link that confirms the waiting address mailed; False when the panel sends no mail."""
    if not mail.enabled(config):
        return False
    after_commit(lambda: jobs.enqueue(CONFIRM, {"user_id": user_id}))
    return True


def link_for(config: Config, user_id: str) -> tuple[str, str]:
    """A new link that confirms the waiting (else unconfirmed) address, and that address; ``Conflict`` without one."""
    with write_tx():
        user = users.get(user_id)
        pending = _waiting(user)
        token = links.issue(links.EMAIL, LIFETIME, user, pending)
    return f"{config.public_url}/auth/confirm?token={token}", pending


def confirm(actor: Actor, config: Config, token: str) -> None:
    """Make the address of a link its account's; ``Conflict`` when somebody else has it by now."""
    try:
        with write_tx():
            link = links.use(links.EMAIL, token)
            assert link.user_id is not None
            user = users.get(link.user_id)
            who = Actor(user.id, user.name, user.email, address=actor.address, request_id=actor.request_id)
            _take(who, config, user, str(link.email))
    except peewee.IntegrityError:
        raise _taken() from None


def confirm_by(actor: Actor, config: Config, user_id: str) -> User:
    """Confirm the waiting (else the unconfirmed) address in its owner's place, as an administrator."""
    try:
        with write_tx():
            user = users.get(user_id)
            roles.require_over(actor, user)
            _take(actor, config, user, _waiting(user))
    except peewee.IntegrityError:
        raise _taken() from None
    return users.get(user_id)


def _take(actor: Actor, config: Config, user: User, email: str) -> None:
    User.update(email=email, pending_email=None, email_verified_at=now()).where(User.id == user.id).execute()
    changed = users.get(user.id)
    links.withdraw(links.RESET, changed)
    links.withdraw(links.EMAIL, changed)
    audit.record(actor, "user.email_confirmed", target_type="user", target_id=user.id, details={"email": email})
    after_commit(lambda: sessions.refresh(changed.id))
    if user.email != email and mail.enabled(config):
        after_commit(lambda: jobs.enqueue(CHANGED, {"user_id": user.id, "old": user.email}))


def _waiting(user: User) -> str:
    waiting = user.pending_email or (user.email if user.email_verified_at is None else None)
    if waiting is None:
        raise Conflict("No address of this account waits to be confirmed.", code="nothing_pending")
    return str(waiting)


def _taken() -> Conflict:
    return Conflict("There is already an account with this e-mail address.", code="email_taken")
