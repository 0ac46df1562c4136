"""What goes in and out of the API of members and invitations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from stellar.auth.schemas import Email, Token

ActionName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
ActionList = Annotated[list[ActionName], msgspec.Meta(max_length=200)]
PresetName = Annotated[str, msgspec.Meta(max_length=16)]


class Grant(msgspec.Struct, forbid_unknown_fields=True):
    """Either a ``preset`` (see ``/servers/presets``) or a list of ``actions``."""

    preset: PresetName | None = None
    actions: ActionList | None = None


class NewMember(Grant, forbid_unknown_fields=True, kw_only=True):
    """The address of an account, and what it may do."""

    email: Email


class NewInvitation(Grant, forbid_unknown_fields=True, kw_only=True):
    """The address that the invitation is for, what it offers, and for how many hours."""

    email: Email
    hours: Annotated[int, msgspec.Meta(ge=1, le=720)] = 72


class AcceptInvitation(msgspec.Struct, forbid_unknown_fields=True):
    """The token of an invitation's link."""

    token: Token


class Person(msgspec.Struct):
    """An account as other members of a server see it."""

    id: str
    name: str
    email: str


class MemberView(msgspec.Struct):
    """Somebody who may do something on a server; ``preset`` when their actions are one."""

    user: Person
    owner: bool
    actions: list[str]
    preset: str | None
    since: datetime


class InvitationView(msgspec.Struct):
    """An invitation that waits."""

    id: str
    email: str
    actions: list[str]
    preset: str | None
    invited_by: str
    created_at: datetime
    expires_at: datetime


class MadeInvitation(InvitationView):
    """``url`` is shown this once; it is left out when it is ``mailed``."""

    mailed: bool = False
    url: str | None = None


class Joined(msgspec.Struct):
    """The server that an accepted invitation was for."""

    server_id: str
    name: str
    actions: list[str]


class PresetView(msgspec.Struct):
    """Actions that can be given together."""

    name: str
    actions: list[str]
