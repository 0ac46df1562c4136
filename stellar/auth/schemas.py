"""What goes in and out of the account endpoints."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from .models import User
from .sessions import Session

Email = Annotated[str, msgspec.Meta(min_length=1, max_length=254)]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Name = Annotated[str, msgspec.Meta(max_length=200)]
Token = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Word = Annotated[str, msgspec.Meta(max_length=16)]


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Credentials."""

    email: Email
    password: Password


class SignUp(msgspec.Struct, forbid_unknown_fields=True):
    """A new account; an empty name becomes the first part of the address."""

    email: Email
    password: Password
    name: Name = ""


class Setup(msgspec.Struct, forbid_unknown_fields=True):
    """The first account, with the token of the set-up link."""

    token: Token
    email: Email
    password: Password
    name: Name = ""


class ChangePassword(msgspec.Struct, forbid_unknown_fields=True):
    """The password in force and the one to come."""

    current: Password
    new: Password


class ChangeProfile(msgspec.Struct, forbid_unknown_fields=True):
    """What users may change of themselves; what is left out stays."""

    name: Name | None = None
    theme: Word | None = None
    locale: Word | None = None


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


class SessionAnswer(msgspec.Struct):
    """Who is signed in; ``csrf_token`` goes into the header X-CSRF-Token of every change."""

    user: UserView
    csrf_token: str
    expires_at: datetime


class SessionView(msgspec.Struct):
    """One of a user's sessions."""

    id: str
    created_at: datetime
    address: str
    user_agent: str
    current: bool


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
    )


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
    )
    return SessionAnswer(user, session.csrf_token, expires_at)
