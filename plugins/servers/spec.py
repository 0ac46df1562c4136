"""What the panel wants of one server on a node: the struct that travels, shared by both sides."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """0 means unlimited. ``cpu_percent``: 100 is one core."""

    memory_mb: int = 0
    cpu_percent: int = 0
    disk_mb: int = 0


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


class ConfigPatch(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Values set in one of the server's files before every start.

    ``parser`` is ``properties``, ``json``, ``yaml``, ``ini``, ``xml``, ``toml`` or ``file``; ``values`` maps a
    (dotted) key to a value that may hold placeholders.
    """

    file: str
    parser: str
    values: dict[str, str | int | float | bool]


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
    """Run by /bin/sh in the data directory; None or empty: nothing to install."""
    variables: dict[str, str]
    limits: Limits
    ports: list[Port]
    """The first is the main one."""
    patches: list[ConfigPatch] = []
    requires: list[Requirement] = []
    image: str | None = None
    suspended: bool = False
