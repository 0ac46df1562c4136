"""What goes in and out of the API of servers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from stellar.cursors import MAX_LENGTH as MAX_CURSOR
from stellar.plugins.nodes.schemas import NodeRef

from .calls import ServerState
from .spec import Limits

MAX_NAME = 64
MAX_DESCRIPTION = 512
ServerName = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME, examples=["Friday night"])]
Description = Annotated[str, msgspec.Meta(max_length=MAX_DESCRIPTION, examples=["For the whole family"])]
MAX_MB = 16 * 1024 * 1024
Amount = Annotated[int, msgspec.Meta(ge=0, le=MAX_MB, examples=[2048])]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100_000, examples=[200])]

BlueprintName = Annotated[str, msgspec.Meta(min_length=1, max_length=64, examples=["luanti"])]
Variables = Annotated[dict[str, str], msgspec.Meta(examples=[{"MAX_USERS": "20"}])]


class CreateServer(msgspec.Struct, forbid_unknown_fields=True):
    """``blueprint``: an id or a built-in's name. ``node``: an id or name; without it the panel chooses.

    0 is no limit; ``cpu_percent``: 100 is one core. What is left out comes from the blueprint.
    """

    name: ServerName
    blueprint: BlueprintName
    node: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    description: Description = ""
    memory_mb: Amount | None = None
    cpu_percent: Percent | None = None
    disk_mb: Amount | None = None
    variables: Variables = {}

    __example__: ClassVar[dict[str, Any]] = {"node": "attic"}


class PatchServer(msgspec.Struct, forbid_unknown_fields=True):
    """What to change. The resources need the permission ``servers.resources``; 0 is no limit."""

    name: ServerName | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType = msgspec.UNSET
    memory_mb: Amount | msgspec.UnsetType = msgspec.UNSET
    cpu_percent: Percent | msgspec.UnsetType = msgspec.UNSET
    disk_mb: Amount | msgspec.UnsetType = msgspec.UNSET


class BlueprintRef(msgspec.Struct):
    """A blueprint, named in a server's JSON."""

    id: str
    name: str
    title: str

    __example__: ClassVar[dict[str, Any]] = {"name": "luanti", "title": "Luanti"}


class UserRef(msgspec.Struct):
    """An account, named in a server's JSON."""

    id: str
    name: str

    __example__: ClassVar[dict[str, Any]] = {"name": "Ada"}


class AllocationView(msgspec.Struct):
    """A port: what players connect to (``address``), and where the server listens (``ip``)."""

    address: str
    ip: str
    port: int
    protocol: str
    name: str

    __example__: ClassVar[dict[str, Any]] = {
        "address": "play.example.org",
        "ip": "192.0.2.10",
        "port": 25565,
        "protocol": "udp",
        "name": "game",
    }


class InstallView(msgspec.Struct):
    """The latest finished install."""

    ok: bool
    exit_code: int | None
    log: str
    started_at: datetime
    finished_at: datetime

    __example__: ClassVar[dict[str, Any]] = {"ok": True, "log": "Done."}


class VariableView(msgspec.Struct):
    """A start-up variable with its value on this server."""

    env: str
    label: str
    description: str
    value: str
    rules: str
    user_editable: bool

    __example__: ClassVar[dict[str, Any]] = {
        "env": "MAX_USERS",
        "label": "Players",
        "description": "How many may play at once",
        "value": "20",
        "rules": "integer|between:1,100",
        "user_editable": True,
    }


class ServerView(msgspec.Struct):
    """A server. ``allocation`` is its main port; ``state`` is ``unknown`` while its node is offline.

    Of a server that is ``suspended`` only what the panel knows can be read.
    """

    id: str
    short_id: str
    name: str
    description: str
    state: str
    suspended: bool
    node: NodeRef
    blueprint: BlueprintRef
    owner: UserRef
    limits: Limits
    allocation: AllocationView | None
    allocations: list[AllocationView]
    created_at: datetime

    __example__: ClassVar[dict[str, Any]] = {
        "short_id": "3f0c7f5e",
        "name": "Friday night",
        "description": "For the whole family",
        "state": "running",
    }


class ServerDetail(ServerView):
    """A server with what its own page shows; ``install`` is None until the first install has ended."""

    install: InstallView | None
    variables: list[VariableView]


Sort = Literal["name", "-name", "created_at", "-created_at", "state", "-state"]
Filter = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class ListQuery(msgspec.Struct, forbid_unknown_fields=True):
    """``after`` is the last page's ``next``, of use with the same ``sort``, which ``-`` turns round.

    ``search``: every word of it is in the name or the description, or begins the short id. ``node`` and ``blueprint``:
    an id or a name. ``owner``: an id, or ``me``. ``state`` is what a node last said, also of one that is offline now.
    """

    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    after: Annotated[str, msgspec.Meta(max_length=MAX_CURSOR)] | None = None
    search: Annotated[str, msgspec.Meta(max_length=100)] = ""
    state: ServerState | Literal["suspended"] | None = None
    node: Filter | None = None
    blueprint: Filter | None = None
    owner: Filter | None = None
    sort: Sort = "-created_at"


class ServerPage(msgspec.Struct):
    """Servers in the order asked for; ``next`` is None on the last page."""

    items: list[ServerView]
    next: str | None


class DeleteQuery(msgspec.Struct, forbid_unknown_fields=True):
    """``force``: forget the server although its node can't be reached (administrators)."""

    force: bool = False


class Missing(msgspec.Struct):
    """A command that a node lacks, and what installs it there."""

    command: str
    package: str
    remedy: str

    __example__: ClassVar[dict[str, Any]] = {
        "command": "luantiserver",
        "package": "minetest-server",
        "remedy": "apt-get install -y minetest-server",
    }


class BlueprintFit(msgspec.Struct):
    """Whether a node can run a blueprint; otherwise ``problem`` says why, and ``missing`` what to install."""

    available: bool
    problem: str | None = None
    missing: list[Missing] = []

    __example__: ClassVar[dict[str, Any]] = {"available": True, "problem": None, "missing": []}


class NodeFit(msgspec.Struct):
    """What a node can run, by the blueprint's name."""

    node: NodeRef
    online: bool
    memory_free_mb: int | None
    blueprints: dict[str, BlueprintFit]

    __example__: ClassVar[dict[str, Any]] = {
        "online": True,
        "memory_free_mb": 6200,
        "blueprints": {"luanti": {"available": True, "problem": None, "missing": []}},
    }
