"""What the panel wants of one server on a node: the struct that travels, shared by both sides."""

from __future__ import annotations

from typing import Annotated

import msgspec

Scalar = str | int | float | bool


class Limits(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """0 means unlimited. ``cpu_percent``: 100 is one core."""

    memory_mb: int = 0
    cpu_percent: int = 0
    disk_mb: int = 0
    swap_mb: int = 0
    """Swap on top of the memory; 0 is none, -1 is unlimited."""
    cpu_set: str = ""
    """The processors it may use, such as ``0-1,3``; empty: any."""
    io_weight: int = 500
    """Its share of block I/O, 10 to 1000."""
    pids: int = 0
    """Processes and threads; 0 is the node's default."""
    oom_kill: bool = True
    """Whether it is killed when its memory is full; else it waits there for memory."""


class Port(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One port of a server's allocation."""

    ip: str
    port: int
    protocol: str = "both"
    """``tcp``, ``udp`` or ``both``."""
    name: str = "default"


class Stop(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the game wants to be stopped: a console ``command``, or a ``signal`` such as SIGINT."""

    command: str | None = None
    signal: str | None = None
    grace_seconds: int = 30


class Requirement(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A command that the process runtime needs on the host, and the Debian package that brings it."""

    command: str
    package: str


class Ready(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A port of the server that means "it runs" as soon as it answers."""

    port: str
    """Its name in the blueprint."""
    protocol: str
    """``tcp``: it accepts a connection; ``udp``: something listens there."""


class Mount(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A directory of the node that a server sees besides its own."""

    source: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    target: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    read_only: bool = True


class ConfigPatch(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Values set in one of the server's files before every start.

    ``parser`` is ``properties``, ``json``, ``yaml``, ``ini``, ``xml``, ``toml`` or ``file``; ``values`` maps a
    (dotted) key to a value that may hold placeholders, or to a table of old values (or ``regex:…``) and what
    each becomes.
    """

    file: str
    parser: str
    values: dict[str, Scalar | dict[str, Scalar]]


class Prompt(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A known question or refusal of the game, answered by one click on the panel."""

    name: str
    """``eula``, …"""
    match: str
    """Literal text, or ``regex:…``, in a line of output."""
    title: str
    message: str
    accept: str
    """What the button says; empty: there is nothing to accept."""
    command: str | None = None
    """Accepting types this into the console …"""
    patches: list[ConfigPatch] = []
    """… or sets these values in files …"""
    restart: bool = False
    """… and starts the server again."""


class Players(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the game is asked who plays."""

    protocol: str
    """``minecraft``, ``bedrock`` or ``source``."""
    port: str = ""
    """The name of the port that answers; empty: the main one."""


class ServerSpec(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One wanted server."""

    id: str
    name: str
    runtime: str
    startup: str
    """A shell line with ``{{NAME}}`` placeholders."""
    stop: Stop
    done: list[str]
    """Patterns that mean "it runs": literal text, or ``regex:…``; empty: when it has stayed up."""
    install_id: str
    """Changes when the server is to be installed (again)."""
    install_script: str | None
    """Run by ``install_shell`` in the data directory; None or empty: nothing to install."""
    variables: dict[str, str]
    limits: Limits
    ports: list[Port]
    """The first is the main one."""
    patches: list[ConfigPatch] = []
    requires: list[Requirement] = []
    image: str | None = None
    """The container image it runs in; the process runtime needs none."""
    suspended: bool = False
    install_image: str | None = None
    """The image of the install's own container; None: the server's."""
    install_shell: str = "/bin/sh"
    startup_shell: str = "sh"
    """What ``startup`` is written for: ``sh``, where no value becomes code, or ``bash``, as in eggs."""
    ready: list[Ready] = []
    """Any of them means "it runs", like a pattern in ``done``."""
    start_timeout: int = 0
    """Seconds in which it has to run after its start; 0: no limit."""
    autostart: bool = True
    """Whether it is started again after the node's machine was, if it ran before."""
    prompts: list[Prompt] = []
    players: Players | None = None
    mounts: list[Mount] = []
    denylist: list[str] = []
    """Files (gitignore patterns) that only the panel may change."""
    location: str = ""
    """The name of its node's location; empty: its node has none."""
    allocation_limit: int = 0
    """How many ports it may have."""
