"""What users change of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import db, mail
from ..db import write_tx
from ..errors import Conflict, Invalid
from . import emails, lockout, signin, users
from .models import User
from .permissions import Actor
from .schemas import ChangeProfile

if TYPE_CHECKING:
    from ..config import Config
    from ..http.request import Request


async def change(req: Request, wanted: ChangeProfile) -> User:
    """Change one's own account; a new address needs the password (``Forbidden``) and waits to be confirmed."""
    if wanted.email is not None:
        req.require_session()
        users.normal_email(wanted.email)
        if wanted.password is None:
            text = "Give your password to change the e-mail address."
            raise Invalid(text, fields={"password": text})
        user = await signin.check_password(req.actor, wanted.password, "password")
        await lockout.address_asked(user.id)
    return await db.call(_change, req.actor, req.config, wanted)


def ask_confirmation(actor: Actor, config: Config, user_id: str) -> str:
    """Mail the confirmation of the waiting (else the unconfirmed) address again; answers what happens now."""
    user = users.get(user_id)
    if user.pending_email is None and user.email_verified_at is not None:
        raise Conflict("Your e-mail address is confirmed already.", code="nothing_pending")
    if user.pending_email is None:
        emails.change(actor, config, user_id, user.email)
        sent = mail.enabled(config)
    else:
        sent = emails.mail_confirmation(config, user_id)
    if sent:
        return "A link that confirms your address is on its way to it."
    return "This panel sends no mail; an administrator can confirm the address."


def _change(actor: Actor, config: Config, wanted: ChangeProfile) -> User:
    assert actor.user_id is not None
    with write_tx():
        users.update_profile(
            actor.user_id, name=wanted.name, theme=wanted.theme, locale=wanted.locale, time_zone=wanted.time_zone
        )
        if wanted.email is not None:
            emails.change(actor, config, actor.user_id, wanted.email)
    return users.get(actor.user_id)
