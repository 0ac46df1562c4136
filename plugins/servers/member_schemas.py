"""What goes in and out of the API of members and invitations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec

from stellar.auth.schemas import Email, Token

ActionName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Action = Annotated[str, msgspec.Meta(examples=["control.start"])]
ActionList = Annotated[list[ActionName], msgspec.Meta(max_length=200)]
PresetName = Annotated[str, msgspec.Meta(max_length=16)]


class Grant(msgspec.Struct, forbid_unknown_fields=True):
    """Either a ``preset`` (see ``/servers/presets``) or a list of ``actions``."""

    preset: PresetName | None = None
    actions: ActionList | None = None

    __example__: ClassVar[dict[str, Any]] = {"preset": "operator", "actions": None}


class NewMember(Grant, forbid_unknown_fields=True, kw_only=True):
    """The address of an account, and what it may do."""

    email: Email

    __example__: ClassVar[dict[str, Any]] = {"email": "grace@example.com"}


class NewInvitation(Grant, forbid_unknown_fields=True, kw_only=True):
    """The address that the invitation is for, what it offers, and for how many hours."""

    email: Email
    hours: Annotated[int, msgspec.Meta(ge=1, le=720)] = 72

    __example__: ClassVar[dict[str, Any]] = {"email": "grace@example.com"}


class AcceptInvitation(msgspec.Struct, forbid_unknown_fields=True):
    """The token of an invitation's link."""

    token: Token


class Person(msgspec.Struct):
    """An account as other members of a server see it."""

    id: str
    name: str
    email: str

    __example__: ClassVar[dict[str, Any]] = {"name": "Grace", "email": "grace@example.com"}


class MemberView(msgspec.Struct):
    """Somebody who may do something on a server; ``preset`` when their actions are one."""

    user: Person
    owner: bool
    actions: list[str]
    preset: str | None
    since: datetime

    __example__: ClassVar[dict[str, Any]] = {"actions": ["servers.read", "control.start"], "preset": None}


class InvitationView(msgspec.Struct):
    """An invitation that waits."""

    id: str
    email: str
    actions: list[str]
    preset: str | None
    invited_by: str
    created_at: datetime
    expires_at: datetime

    __example__: ClassVar[dict[str, Any]] = {
        "email": "grace@example.com",
        "actions": ["servers.read", "control.start"],
        "preset": None,
        "invited_by": "Ada",
    }


class MadeInvitation(InvitationView):
    """``url`` is shown this once; it is left out when it is ``mailed``."""

    mailed: bool = False
    url: str | None = None

    __example__: ClassVar[dict[str, Any]] = {
        "url": "https://panel.example.com/invitations/accept?token=Zk3vT8qLw2Xn5Rb7"
    }


class Joined(msgspec.Struct):
    """The server that an accepted invitation was for."""

    server_id: str
    name: str
    actions: list[str]

    __example__: ClassVar[dict[str, Any]] = {
        "server_id": "3f0c7f5e-6a0b-4d0e-9a6e-0b8f2c1d7e54",
        "name": "Friday night",
        "actions": ["servers.read", "control.start"],
    }


class PresetView(msgspec.Struct):
    """Actions that can be given together."""

    name: str
    actions: list[str]

    __example__: ClassVar[dict[str, Any]] = {"name": "viewer", "actions": ["servers.read", "console.read"]}
