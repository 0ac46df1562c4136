"""What goes in and out of the administrators' API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from stellar.auth.schemas import Email, Name, Password, UserView

RoleName = Annotated[str, msgspec.Meta(min_length=2, max_length=16)]
Filter = Annotated[str, msgspec.Meta(max_length=254)]
UserSort = Literal["email", "-email", "name", "-name", "created_at", "-created_at"]


class UsersQuery(msgspec.Struct, forbid_unknown_fields=True):
    """``search`` looks into address and name."""

    page: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    size: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    search: Filter = ""
    role: Filter | None = None
    suspended: bool | None = None
    sort: UserSort = "email"


class CreateUser(msgspec.Struct, forbid_unknown_fields=True):
    """A new account; an empty name becomes the first part of the address."""

    email: Email
    password: Password
    name: Name = ""
    role: RoleName = "user"

    __example__: ClassVar[dict[str, Any]] = {"password": "correct horse battery", "name": "Ada"}


class PatchUser(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; what is left out stays."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    role: RoleName | msgspec.UnsetType = msgspec.UNSET
    suspended: bool | msgspec.UnsetType = msgspec.UNSET

    __example__: ClassVar[dict[str, Any]] = {"name": "Ada", "role": "support"}


class AccountView(UserView):
    """An account and how many servers it owns; ``pending_email`` is an address that waits to be confirmed."""

    servers: int = 0
    pending_email: str | None = None

    __example__: ClassVar[dict[str, Any]] = {"servers": 2}


class AccountPage(msgspec.Struct):
    """Some accounts by address, and how many there are."""

    users: list[AccountView]
    total: int


class UserFigures(msgspec.Struct):
    """Numbers of accounts."""

    total: int
    admins: int
    suspended: int

    __example__: ClassVar[dict[str, Any]] = {"total": 50, "admins": 1}


class ServerFigures(msgspec.Struct):
    """Numbers of servers; ``states`` has the states that occur."""

    total: int
    suspended: int
    states: dict[str, int]

    __example__: ClassVar[dict[str, Any]] = {"total": 12, "states": {"running": 9, "offline": 3}}


class NodeFigures(msgspec.Struct):
    """Numbers of nodes."""

    total: int
    online: int

    __example__: ClassVar[dict[str, Any]] = {"total": 2, "online": 2}


class Versions(msgspec.Struct):
    """What runs here."""

    stellar: str
    python: str
    database: str
    redis: str

    __example__: ClassVar[dict[str, Any]] = {
        "stellar": "0.1.0",
        "python": "3.11.7",
        "database": "SQLite 3.45.1",
        "redis": "Valkey 9.1.0",
    }


class Stats(msgspec.Struct):
    """The installation in figures; ``uptime`` of the web process in seconds."""

    users: UserFigures
    servers: ServerFigures
    nodes: NodeFigures
    versions: Versions
    uptime: float
    started_at: datetime

    __example__: ClassVar[dict[str, Any]] = {"uptime": 86400.5}


class PluginView(msgspec.Struct):
    """A plugin that was found; ``error`` is the reason or traceback for which it is disabled."""

    name: str
    version: str | None
    description: str
    requires: list[str]
    source: str
    builtin: bool
    active: bool
    error: str | None

    __example__: ClassVar[dict[str, Any]] = {
        "name": "servers",
        "description": "Game servers",
        "requires": ["nodes", "blueprints"],
        "source": "built in",
        "builtin": True,
        "active": True,
        "error": None,
    }


class CheckView(msgspec.Struct):
    """One thing that was checked; ``message`` says what is wrong, or what was found."""

    name: str
    plugin: str
    ok: bool
    message: str

    __example__: ClassVar[dict[str, Any]] = {"name": "database", "plugin": "core", "ok": True, "message": ""}


class Health(msgspec.Struct):
    """``ok`` when every check is."""

    ok: bool
    checks: list[CheckView]

    __example__: ClassVar[dict[str, Any]] = {"ok": True}


class SettingValue(msgspec.Struct, forbid_unknown_fields=True):
    """A setting's new value."""

    value: Any

    __example__: ClassVar[dict[str, Any]] = {"value": True}
