"""What goes in and out of the account endpoints."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec

from .models import User
from .second import SecondStep
from .sessions import Session

Email = Annotated[str, msgspec.Meta(min_length=1, max_length=254)]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Name = Annotated[str, msgspec.Meta(max_length=200)]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Word = Annotated[str, msgspec.Meta(max_length=16)]
Zone = Annotated[str, msgspec.Meta(max_length=64, examples=["Europe/Lisbon"])]


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Credentials."""

    email: Email
    password: Password

    __example__: ClassVar[dict[str, Any]] = {"password": "correct horse battery"}


class SignUp(msgspec.Struct, forbid_unknown_fields=True):
    """A new account; an empty name becomes the first part of the address.

    ``next``: the page to which the mailed link leads in the end, where the panel sends mail; empty: the dashboard.
    """

    email: Email
    password: Password
    name: Name = ""
    next: Annotated[str, msgspec.Meta(max_length=2048)] = ""

    __example__: ClassVar[dict[str, Any]] = {"password": "correct horse battery", "name": "Ada"}


class FinishSignUp(msgspec.Struct, forbid_unknown_fields=True):
    """The token of a mailed link."""

    token: Token


class SecondSignIn(msgspec.Struct, forbid_unknown_fields=True):
    """The token that the first step answered; and a code of the authenticator app, a recovery code, or a passkey."""

    token: Token
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64, examples=["123456"])] | None = None
    credential: dict[str, Any] | None = None

    __example__: ClassVar[dict[str, Any]] = {"credential": None}


class Proof(msgspec.Struct, forbid_unknown_fields=True):
    """One of: the password; a code of the authenticator app, or a recovery code; a passkey.

    For a passkey, ``token`` came with the options (of ``/auth/signin/passkey/options``), and ``credential`` is what the
    browser made of them.
    """

    password: Password | None = None
    code: Annotated[str, msgspec.Meta(min_length=1, max_length=64, examples=["123456"])] | None = None
    token: Token | None = None
    credential: dict[str, Any] | None = None

    __example__: ClassVar[dict[str, Any]] = {
        "password": "correct horse battery",
        "code": None,
        "token": None,
        "credential": None,
    }


class PasskeySignIn(msgspec.Struct, forbid_unknown_fields=True):
    """The token that came with the options, and what the browser made of them."""

    token: Token
    credential: dict[str, Any]

    __example__: ClassVar[dict[str, Any]] = {"credential": {"id": "q83vEjRW", "type": "public-key"}}


class Setup(msgspec.Struct, forbid_unknown_fields=True):
    """The first account, with the token of the set-up link."""

    token: Token
    email: Email
    password: Password
    name: Name = ""

    __example__: ClassVar[dict[str, Any]] = {"password": "correct horse battery", "name": "Ada"}


class ChangePassword(msgspec.Struct, forbid_unknown_fields=True):
    """The password in force and the one to come."""

    current: Password
    new: Password

    __example__: ClassVar[dict[str, Any]] = {"current": "correct horse battery", "new": "staple battery horse"}


class ChangeProfile(msgspec.Struct, forbid_unknown_fields=True):
    """What users may change of themselves; what is left out stays.

    A new ``email`` needs the ``password``, and counts once it is confirmed.
    """

    name: Name | None = None
    theme: Word | None = None
    locale: Word | None = None
    time_zone: Zone | None = None
    email: Email | None = None
    password: Password | None = None

    __example__: ClassVar[dict[str, Any]] = {"name": "Ada", "password": "correct horse battery"}


class UserView(msgspec.Struct):
    """An account."""

    id: str
    email: str
    name: str
    role: str
    theme: str
    locale: str
    suspended: bool
    created_at: datetime
    time_zone: str = "UTC"

    __example__: ClassVar[dict[str, Any]] = {"name": "Ada"}


class MeView(UserView):
    """One's own account; ``pending_email`` is an address that waits to be confirmed."""

    email_verified: bool = False
    pending_email: str | None = None


class ForgotPassword(msgspec.Struct, forbid_unknown_fields=True):
    """The account's address."""

    email: Email


class ResetPassword(msgspec.Struct, forbid_unknown_fields=True):
    """The token of a reset link, and the password to come."""

    token: Token
    password: Password

    __example__: ClassVar[dict[str, Any]] = {"password": "staple battery horse"}


class ConfirmEmail(msgspec.Struct, forbid_unknown_fields=True):
    """The token of a confirmation link."""

    token: Token


class Sent(msgspec.Struct):
    """What happens now, in a sentence."""

    detail: str

    __example__: ClassVar[dict[str, Any]] = {"detail": "If there is such an account, a link is on its way."}


class OneTimeLink(msgspec.Struct):
    """A link to hand to the account's owner; it works once."""

    url: str
    expires_at: datetime

    __example__: ClassVar[dict[str, Any]] = {"url": "https://panel.example.com/auth/reset?token=Zk3vT8qLw2Xn5Rb7"}


class ActivityQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Lines older than the id ``before``."""

    before: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class ImpersonatorView(msgspec.Struct):
    """The administrator who acts as the signed-in user."""

    id: str
    name: str
    email: str

    __example__: ClassVar[dict[str, Any]] = {"name": "Grace", "email": "grace@example.com"}


class SessionAnswer(msgspec.Struct):
    """Who is signed in; ``csrf_token`` goes into the header X-CSRF-Token of every change."""

    user: UserView
    csrf_token: str
    expires_at: datetime
    impersonator: ImpersonatorView | None = None

    __example__: ClassVar[dict[str, Any]] = {"impersonator": None}


class SignInAnswer(msgspec.Struct, omit_defaults=True):
    """A session as in ``SessionAnswer``; or, for an account with two factors, nothing but the ``second_factor``."""

    user: UserView | msgspec.UnsetType = msgspec.UNSET
    csrf_token: str | msgspec.UnsetType = msgspec.UNSET
    expires_at: datetime | msgspec.UnsetType = msgspec.UNSET
    second_factor: SecondStep | msgspec.UnsetType = msgspec.UNSET

    __example__: ClassVar[dict[str, Any]] = {"second_factor": msgspec.UNSET}


class SignUpAnswer(msgspec.Struct, omit_defaults=True):
    """A session as in ``SessionAnswer``; or, where the panel sends mail, nothing but the ``detail``: what happens now.

    It is the same whether or not there is an account with the address.
    """

    user: UserView | msgspec.UnsetType = msgspec.UNSET
    csrf_token: str | msgspec.UnsetType = msgspec.UNSET
    expires_at: datetime | msgspec.UnsetType = msgspec.UNSET
    detail: str | msgspec.UnsetType = msgspec.UNSET

    __example__: ClassVar[dict[str, Any]] = {"detail": msgspec.UNSET}


class SessionView(msgspec.Struct):
    """One of a user's sessions."""

    id: str
    created_at: datetime
    address: str
    user_agent: str
    current: bool

    __example__: ClassVar[dict[str, Any]] = {"current": True}


def view_of(user: User) -> UserView:
    """An account as the API shows it."""
    return UserView(
        id=user.id,
        email=user.email,
        name=user.name,
        role=user.role,
        theme=user.theme,
        locale=user.locale,
        suspended=user.suspended_at is not None,
        created_at=user.created_at,
        time_zone=user.time_zone,
    )


def me_of(user: User) -> MeView:
    """One's own account as the API shows it."""
    seen = msgspec.structs.asdict(view_of(user))
    return MeView(**seen, email_verified=user.email_verified_at is not None, pending_email=user.pending_email)


def answer_of(session: Session, expires_at: datetime) -> SessionAnswer:
    """A session as the API shows it."""
    user = UserView(
        id=session.user_id,
        email=session.email,
        name=session.name,
        role=session.role,
        theme=session.theme,
        locale=session.locale,
        suspended=False,
        created_at=session.user_created_at,
        time_zone=session.time_zone,
    )
    behind = session.impersonator
    shown = None if behind is None else ImpersonatorView(behind.id, behind.name, behind.email)
    return SessionAnswer(user, session.csrf_token, expires_at, shown)
