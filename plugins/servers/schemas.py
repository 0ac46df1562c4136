"""What goes in and out of the API of servers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from stellar.cursors import MAX_LENGTH as MAX_CURSOR
from stellar.plugins.nodes.schemas import NodeRef

from .calls import Points, ServerState, Span
from .spec import Limits, Mount

MAX_NAME = 64
MAX_DESCRIPTION = 512
ServerName = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME, examples=["Friday night"])]
Description = Annotated[str, msgspec.Meta(max_length=MAX_DESCRIPTION, examples=["For the whole family"])]
MAX_MB = 16 * 1024 * 1024
Amount = Annotated[int, msgspec.Meta(ge=0, le=MAX_MB, examples=[2048])]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100_000, examples=[200])]

Swap = Annotated[int, msgspec.Meta(ge=-1, le=MAX_MB, examples=[512])]
CpuSet = Annotated[str, msgspec.Meta(max_length=64, examples=["0-1,3"])]
IoWeight = Annotated[int, msgspec.Meta(ge=10, le=1000, examples=[500])]
Pids = Annotated[int, msgspec.Meta(ge=0, le=1_000_000, examples=[512])]
Mounts = Annotated[
    list[Mount],
    msgspec.Meta(max_length=16, examples=[[{"source": "/srv/maps", "target": "/maps", "read_only": True}]]),
]
RuntimeName = Annotated[str, msgspec.Meta(min_length=1, max_length=16, examples=["docker"])]
ImageName = Annotated[str, msgspec.Meta(max_length=255, examples=["ghcr.io/example/java:21"])]
BlueprintName = Annotated[str, msgspec.Meta(min_length=1, max_length=64, examples=["luanti"])]
Variables = Annotated[dict[str, str], msgspec.Meta(examples=[{"MAX_USERS": "20"}])]


class CreateServer(msgspec.Struct, forbid_unknown_fields=True):
    """``blueprint``: an id or a built-in's name. ``node``: an id or name; without it the panel chooses.

    0 is no limit; ``cpu_percent``: 100 is one core. What is left out comes from the blueprint.

    ``runtime``: ``process``, ``docker`` or a plugin's; without it Docker, where blueprint and node have that.
    ``image``: one of the blueprint's, its first without. Swap and what follows need ``servers.resources``.
    """

    name: ServerName
    blueprint: BlueprintName
    node: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    description: Description = ""
    memory_mb: Amount | None = None
    cpu_percent: Percent | None = None
    disk_mb: Amount | None = None
    variables: Variables = {}
    runtime: RuntimeName | None = None
    image: ImageName = ""
    swap_mb: Swap | None = None
    cpu_set: CpuSet | None = None
    io_weight: IoWeight | None = None
    pids: Pids | None = None
    oom_kill: bool | None = None

    __example__: ClassVar[dict[str, Any]] = {"node": "attic", "runtime": None, "image": ""}


class PatchServer(msgspec.Struct, forbid_unknown_fields=True):
    """What to change. The resources need the permission ``servers.resources``; 0 is no limit.

    ``autostart``, which needs ``startup.update``: start it again after its node's machine was, if it ran before.
    ``swap_mb`` comes on top of the memory (-1: as much as there is), ``cpu_set`` names the processors it may use,
    ``io_weight`` is its share of block I/O, ``pids`` its processes and threads (0: the node's default). With
    ``oom_kill`` off it waits for memory instead of being ended. ``mounts``: directories of the node, which has to
    allow them; for servers in containers. All of these are kept by runtimes that can.
    """

    name: ServerName | msgspec.UnsetType = msgspec.UNSET
    description: Description | msgspec.UnsetType = msgspec.UNSET
    memory_mb: Amount | msgspec.UnsetType = msgspec.UNSET
    cpu_percent: Percent | msgspec.UnsetType = msgspec.UNSET
    disk_mb: Amount | msgspec.UnsetType = msgspec.UNSET
    autostart: bool | msgspec.UnsetType = msgspec.UNSET
    swap_mb: Swap | msgspec.UnsetType = msgspec.UNSET
    cpu_set: CpuSet | msgspec.UnsetType = msgspec.UNSET
    io_weight: IoWeight | msgspec.UnsetType = msgspec.UNSET
    pids: Pids | msgspec.UnsetType = msgspec.UNSET
    oom_kill: bool | msgspec.UnsetType = msgspec.UNSET
    mounts: Mounts | msgspec.UnsetType = msgspec.UNSET


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


class AnswerChoice(msgspec.Struct):
    """One of the answers that there are; ``label`` is for people."""

    value: str
    label: str

    __example__: ClassVar[dict[str, Any]] = {"value": "ghcr.io/example/java:21", "label": "Java 21"}


class PromptAnswer(msgspec.Struct):
    """What a prompt takes for an answer: one of ``choices``, or any text that the setting's rules allow.

    ``setting`` is what the answer is kept as: ``image``, or the name of a start-up variable.
    """

    setting: str
    label: str
    choices: list[AnswerChoice] = []

    __example__: ClassVar[dict[str, Any]] = {"setting": "image", "label": "Container image"}


class AnswerPrompt(msgspec.Struct, forbid_unknown_fields=True):
    """``answer``: the ``value`` of one of the prompt's choices, or a text."""

    answer: Annotated[str, msgspec.Meta(min_length=1, max_length=1024, examples=["ghcr.io/example/java:21"])]


class PromptView(msgspec.Struct):
    """A known question or refusal of the game; ``accept`` is what one agrees to, empty where there is nothing to.

    ``line`` is where the game has printed it, ``link`` an address to open. ``answer`` is what the caller may answer.
    """

    name: str
    title: str
    message: str
    accept: str
    line: str
    link: str | None
    at: datetime
    answer: PromptAnswer | None = None

    __example__: ClassVar[dict[str, Any]] = {
        "name": "eula",
        "title": "Minecraft's licence has to be accepted",
        "message": "The server starts only for somebody who agrees to it.",
        "accept": "I agree to the EULA",
        "line": "You need to agree to the EULA in order to run the server.",
        "link": None,
    }


class DiskWarning(msgspec.Struct):
    """A server takes more disk than it may: nothing can be written to it through the panel until it doesn't.

    ``stopped``: it was stopped for that, and can't be started.
    """

    used_bytes: int
    stopped: bool
    at: datetime

    __example__: ClassVar[dict[str, Any]] = {"used_bytes": 5_500_000_000, "stopped": False}


class ServerDetail(ServerView):
    """A server with what its own page shows; ``install`` is None until the first install has ended.

    ``autostart``: whether it is started again after its node's machine was. ``prompts``: what the game asks now.
    ``disk_warning`` is None as long as it keeps to its disk limit. ``image`` is what its container is made of, None
    without one; ``mounts`` are for those who may change them.
    """

    install: InstallView | None
    variables: list[VariableView]
    runtime: str
    image: str | None
    mounts: list[Mount]
    disk_warning: DiskWarning | None = None
    autostart: bool = True
    prompts: list[PromptView] = []

    __example__: ClassVar[dict[str, Any]] = {
        **ServerView.__example__,
        "runtime": "docker",
        "image": "ghcr.io/example/java:21",
        "mounts": [],
    }


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


class PastQuery(msgspec.Struct, forbid_unknown_fields=True):
    """``span``: how far back; ``points``: in how many steps at most."""

    span: Span = "hour"
    points: Points = 360


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
