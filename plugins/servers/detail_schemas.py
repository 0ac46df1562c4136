"""What goes in and out of the API of a server's ports, start-up, blueprint and record."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from .schemas import (
    AllocationView,
    BlueprintName,
    BlueprintRef,
    ImageName,
    RuntimeName,
    UserRef,
    Variables,
    VariableView,
)

Note = Annotated[str, msgspec.Meta(max_length=128, examples=["voice chat"])]


class AddAllocation(msgspec.Struct, forbid_unknown_fields=True):
    """A further port, which the panel chooses."""

    protocol: Literal["tcp", "udp", "both"] = "both"
    note: Note = ""

    __example__: ClassVar[dict[str, Any]] = {"note": "Voice chat"}


class PatchAllocation(msgspec.Struct, forbid_unknown_fields=True):
    """``primary``: make it the main port."""

    primary: Literal[True] | msgspec.UnsetType = msgspec.UNSET
    note: Note | msgspec.UnsetType = msgspec.UNSET

    __example__: ClassVar[dict[str, Any]] = {"note": "Voice chat"}


class AllocationDetail(AllocationView):
    """A port of a server; ``primary`` is the main one, whose ``name`` is always the same."""

    id: str
    primary: bool
    note: str

    __example__: ClassVar[dict[str, Any]] = {"primary": True, "note": ""}


class AllocationList(msgspec.Struct):
    """A server's ports, the main one first, and up to how many it can be given more."""

    items: list[AllocationDetail]
    limit: int

    __example__: ClassVar[dict[str, Any]] = {"limit": 3}


class ImageView(msgspec.Struct):
    """A container image of a blueprint; ``name`` is for people."""

    name: str
    image: str

    __example__: ClassVar[dict[str, Any]] = {"name": "Java 21", "image": "ghcr.io/example/java:21"}


class StartupView(msgspec.Struct):
    """How a server is started: its blueprint's command line, and the variables that the caller may see.

    ``runtimes`` are those that the blueprint is made for, ``images`` what its containers may be made of, ``image`` the
    one that is chosen; None where it has none.
    """

    command: str
    blueprint: BlueprintRef
    variables: list[VariableView]
    runtime: str
    runtimes: list[str]
    image: str | None
    images: list[ImageView]

    __example__: ClassVar[dict[str, Any]] = {
        "command": "exec luantiserver --port {{SERVER_PORT}}",
        "runtime": "docker",
        "runtimes": ["docker", "process"],
        "image": "ghcr.io/example/java:21",
    }


class PatchStartup(msgspec.Struct, forbid_unknown_fields=True):
    """The variables to set, by their names; the others stay as they are.

    ``image`` (one of the blueprint's) and ``runtime`` (of a server at rest) need the permission ``startup.image``.
    """

    variables: Variables = {}
    image: ImageName | msgspec.UnsetType = msgspec.UNSET
    runtime: RuntimeName | msgspec.UnsetType = msgspec.UNSET


class ChangeBlueprint(msgspec.Struct, forbid_unknown_fields=True):
    """``blueprint``: an id or name. Variables that both blueprints have keep their values unless given."""

    blueprint: BlueprintName
    variables: Variables = {}


class ActivityQuery(msgspec.Struct, forbid_unknown_fields=True):
    """``before`` is the last page's ``next``."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    before: Annotated[int, msgspec.Meta(ge=1)] | None = None


class ActivityEntry(msgspec.Struct):
    """Something that was done; ``actor`` is None for the panel itself and for accounts that are gone.

    ``address`` is that of the caller's own requests; administrators see everybody's.
    """

    id: int
    at: datetime
    action: str
    actor: UserRef | None
    address: str | None
    details: dict[str, Any]

    __example__: ClassVar[dict[str, Any]] = {"id": 4711, "action": "control.start", "details": {}}


class ActivityPage(msgspec.Struct):
    """What was done with a server, the latest first; ``next`` is None on the last page."""

    items: list[ActivityEntry]
    next: int | None


class CrashView(msgspec.Struct):
    """An end that nobody asked for; ``log`` is the last 200 lines, without control codes.

    ``reason`` is the node's, where it has ended the server or couldn't start it; ``restarting``: it is started again.
    """

    id: str
    at: datetime
    summary: str
    code: int | None
    signal: str | None
    oom: bool
    reason: str
    restarting: bool
    log: str

    __example__: ClassVar[dict[str, Any]] = {
        "summary": "It ended with exit code 1.",
        "code": 1,
        "signal": None,
        "oom": False,
        "reason": "",
        "restarting": True,
        "log": "Exception in thread main",
    }


class CrashList(msgspec.Struct):
    """The crashes that are kept of a server, the latest first."""

    items: list[CrashView]
