"""What a ``blueprint.toml`` may hold: one struct a table, one field a key. README.md explains them to authors."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import msgspec

Parser = Literal["properties", "ini", "json", "yaml", "toml", "xml", "file"]
Scalar = str | int | float | bool
Protocol = Literal["tcp", "udp", "both"]
Signal = Literal["SIGINT", "SIGTERM", "SIGQUIT", "SIGABRT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL"]
Shell = Literal["sh", "bash"]
Category = Literal["minecraft", "sandbox", "shooter", "survival", "strategy", "racing", "voice", "bot", "other"]


class Table(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """Any table of a blueprint."""


class Requirement(Table, frozen=True):
    """A command that has to be on the host, and the Debian package that brings it."""

    command: str
    package: str

    __example__: ClassVar[dict[str, Any]] = {"command": "luantiserver", "package": "minetest-server"}


class ProcessRuntime(Table, frozen=True):
    """Runs as a process of the node."""

    requires: list[Requirement] = []


class DockerImage(Table, frozen=True):
    """An image that it can run in; ``name`` is for people."""

    name: str
    image: str


class DockerRuntime(Table, frozen=True):
    """Runs in a container; the first image is the default."""

    images: list[DockerImage]


class Runtimes(Table, frozen=True):
    """At least one."""

    process: ProcessRuntime | None = None
    docker: DockerRuntime | None = None

    __example__: ClassVar[dict[str, Any]] = {"docker": None}


class StartupChoice(Table, frozen=True):
    """Another command that a server's owner may choose; ``name`` is for people."""

    name: str
    command: str


class Ready(Table, frozen=True):
    """A port, by its name, that means "it runs" as soon as it answers."""

    port: str
    protocol: Literal["tcp", "udp"] = "tcp"


class Startup(Table, frozen=True):
    """``done``: literal text or ``regex:…``; without any, and without ``ready``, it runs when it has stayed up.

    ``timeout_seconds``: what doesn't run by then has failed; 0 is no limit. ``shell`` runs every command: in one for
    ``bash`` (as those of eggs are) ``{{NAME}}`` is ``${NAME}``, in one for ``sh`` it is one word whatever its value.
    """

    command: str
    shell: Shell = "sh"
    done: list[str] = []
    choices: list[StartupChoice] = []
    ready: list[Ready] = []
    timeout_seconds: int = 0

    __example__: ClassVar[dict[str, Any]] = {
        "command": "exec luantiserver --port {{SERVER_PORT}}",
        "done": ["listening on"],
    }


class Stop(Table, frozen=True):
    """A console command or a signal; the commands ``^C`` and ``^SIGTERM`` mean signals (stops.py)."""

    command: str | None = None
    signal: Signal | None = None
    grace_seconds: int = 30

    __example__: ClassVar[dict[str, Any]] = {"command": "/shutdown", "signal": None}


class Variable(Table, frozen=True):
    """A value that the server's owner sees as ``label`` and the game as the environment variable ``env``."""

    env: str
    label: str
    description: str = ""
    default: str = ""
    rules: str = ""
    user_viewable: bool = True
    user_editable: bool = True

    __example__: ClassVar[dict[str, Any]] = {
        "env": "MAX_PLAYERS",
        "label": "Players",
        "description": "How many may play at once",
        "default": "15",
        "rules": "integer|between:1,100",
    }


class Install(Table, frozen=True):
    """A shell script, in place or in a file beside the blueprint.

    ``image`` is the container that it runs in where servers run in containers, ``shell`` what runs it.
    """

    script: str = ""
    file: str | None = None
    image: str | None = None
    shell: str = "/bin/sh"


class ConfigPatch(Table, frozen=True):
    """Values set in one of the server's files before every start.

    A table instead of a value maps old values (or ``regex:…``) to what each becomes.
    """

    file: str
    parser: Parser
    values: dict[str, Scalar | dict[str, Scalar]]

    __example__: ClassVar[dict[str, Any]] = {
        "file": "server.conf",
        "parser": "properties",
        "values": {"max_users": "{{MAX_PLAYERS}}"},
    }


class Port(Table, frozen=True):
    """A port that a server gets; the first is the main one. One that ``follows`` is the number after the one before."""

    name: str
    protocol: Protocol = "both"
    optional: bool = False
    follows: bool = False

    __example__: ClassVar[dict[str, Any]] = {"name": "game", "protocol": "udp"}


class Amount(Table, frozen=True):
    """0 is no minimum, and as ``recommended`` no limit."""

    minimum: int = 0
    recommended: int = 0

    __example__: ClassVar[dict[str, Any]] = {"minimum": 256, "recommended": 1024}


class Resources(Table, frozen=True):
    """What the form for a new server begins with, and the least that it accepts."""

    memory_mb: Amount = Amount()
    cpu_percent: Amount = Amount()
    disk_mb: Amount = Amount()


class Players(Table, frozen=True):
    """How the game is asked who plays; ``port`` is the name of the port that answers, the main one if empty."""

    protocol: Literal["minecraft", "bedrock", "source"]
    port: str = ""

    __example__: ClassVar[dict[str, Any]] = {"protocol": "source", "port": "query"}


class Blueprint(Table, frozen=True):
    """A whole ``blueprint.toml``."""

    format: Literal[1]
    name: str
    title: str
    description: str
    category: Category
    runtimes: Runtimes
    startup: Startup
    icon: str = "cube"
    stop: Stop = Stop(signal="SIGTERM")
    variables: list[Variable] = []
    install: Install = Install()
    config: list[ConfigPatch] = []
    ports: list[Port] = msgspec.field(default_factory=lambda: [Port(name="game")])
    resources: Resources = Resources()
    players: Players | None = None
    features: list[str] = []
    """Known prompts of the game, such as ``eula`` and ``java_version``."""
    denylist: list[str] = []
    """Files (gitignore patterns) that only the panel may change."""
    author: str = ""
    update_url: str | None = None
    """Where a newer version of this blueprint (or the egg that it came from) is."""
