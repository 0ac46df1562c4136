"""The jobs of accounts: the mails, whose links are made only when they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..extend.registry import Job

if TYPE_CHECKING:
    from ..config import Config

RESET = "auth.mail_reset"
CONFIRM = "auth.mail_confirm"
CHANGED = "auth.mail_changed"
SIGN_UP = "auth.mail_signup"

JOBS = tuple(
    Job("core", name, f"stellar.auth.jobs:{function}", retries=3, timeout=120)
    for name, function in (
        (RESET, "mail_reset"),
        (CONFIRM, "mail_confirm"),
        (CHANGED, "mail_changed"),
        (SIGN_UP, "mail_signup"),
    )
)


def mail_reset(email: str) -> None:
    """Mail a link to a new password, if there is an active account with this address."""
    from . import resets, users

    user = users.by_email(email)
    if user is None or user.suspended_at is not None:
        return
    url, _ = resets.link_for(_config(), user.id)
    _send(
        user.email,
        "A new password",
        f"Hello {user.name},\n\nsomebody, hopefully you, asked for a new password for your account. Choose one here:"
        f"\n\n{url}\n\nThe link works once, for an hour. If it was not you, there is nothing to do.",
    )


def mail_confirm(user_id: str) -> None:
    """Mail a link that confirms the address which an account waits for."""
    from . import emails, users

    user = users.get(user_id)
    if user.pending_email is None:
        return
    # The address is the link's own: by now it may be another one than a moment ago.
    url, address = emails.link_for(_config(), user.id)
    _send(
        address,
        "Confirm your address",
        f"Hello {user.name},\n\nplease confirm that this is the e-mail address of your account:\n\n{url}\n\n"
        "The link works once, for a day. If you know nothing of this, there is nothing to do.",
    )


def mail_changed(user_id: str, old: str) -> None:
    """Tell the earlier address of an account that it isn't its address any more."""
    from . import users

    user = users.get(user_id)
    _send(
        old,
        "Your address was changed",
        f"Hello {user.name},\n\nthe e-mail address of your account is now {user.email}. If it was not you who changed "
        "it, tell your administrator.",
    )


def mail_signup(request: str) -> None:
    """Mail the link that makes an account; to whoever has one already, that they do."""
    from . import signups, users

    wanted = signups.asked(request)
    if wanted is None:
        return
    if users.by_email(wanted.email) is None:
        _send(
            wanted.email,
            "Your new account",
            f"Hello,\n\nfinish making your account here:\n\n{signups.link_for(_config(), wanted)}\n\nThe link works "
            "once, for a day. If you know nothing of this, there is nothing to do.",
        )
        return
    _send(
        wanted.email,
        "You have an account",
        "Hello,\n\nsomebody, hopefully you, wanted to make an account with this address, which has one already. Sign "
        f"in:\n\n{_config().public_url}/auth/signin\n\nIf it was not you, there is nothing to do.",
    )


def _send(to: str, subject: str, text: str) -> None:
    from .. import mail

    mail.send(_config(), to, f"{subject} (Stellar)", text)


def _config() -> Config:
    from .. import panel

    return panel.current().config
