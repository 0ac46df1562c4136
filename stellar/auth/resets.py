"""A new password for somebody who has forgotten theirs: a one-time link, mailed or handed over by an administrator."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from .. import audit, db, jobs, mail
from ..db import now, write_tx
from ..errors import Conflict
from . import links, lockout, passwords, roles, users
from .jobs import RESET
from .models import Link, User
from .permissions import Actor

if TYPE_CHECKING:
    from ..config import Config

LIFETIME = timedelta(hours=1)


def link_for(config: Config, user_id: str) -> tuple[str, datetime]:
    """A new link with which an account gets a new password, and until when; earlier ones stop working."""
    with write_tx():
        token = links.issue(links.RESET, LIFETIME, users.get(user_id))
    return f"{config.public_url}/auth/reset?token={token}", now() + LIFETIME


def link_by(actor: Actor, config: Config, user_id: str) -> tuple[str, datetime]:
    """``link_for`` as an administrator makes it; ``Forbidden`` for the account of somebody who may do more."""
    user = users.get(user_id)
    roles.refuse_own(actor, user)
    roles.require_over(actor, user)
    made = link_for(config, user_id)
    audit.record(actor, "user.reset_link", target_type="user", target_id=user_id)
    return made


async def ask(actor: Actor, config: Config, email: str) -> None:
    """Have a link mailed; nothing here depends on whether there is such an account, neither answer nor time.

    Where many have been mailed to it of late, the last of them has to do.
    """
    if not mail.enabled(config):
        raise Conflict("This panel sends no mail; ask an administrator for a reset link.", code="mail_off")
    address = users.fold_email(email)
    if await lockout.mail_asked(actor.address, address, "reset"):
        await db.call(jobs.enqueue, RESET, {"email": address})


async def finish(actor: Actor, token: str, password: str) -> None:
    """Set a new password with a link's token and end all of the account's sessions."""
    user = await db.call(_owner, token)
    passwords.check_new(password, user.email)
    await db.call(_finish, actor, token, await passwords.hash_async(password))


def _owner(token: str) -> User:
    return _user_of(links.find(links.RESET, token))


def _finish(actor: Actor, token: str, password_hash: str) -> None:
    with write_tx():
        user = _user_of(links.use(links.RESET, token))
        users.set_password(user.id, password_hash)
        who = Actor(user.id, user.name, user.email, address=actor.address, request_id=actor.request_id)
        audit.record(who, "auth.password_reset", target_type="user", target_id=user.id)


def _user_of(link: Link) -> User:
    assert link.user_id is not None
    return users.get(link.user_id)
