"""What goes in and out of the API of blueprints."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from .eggs.report import Note
from .structs import Category, ConfigPatch, Port, Resources, Runtimes, Startup, Stop, Variable

EXAMPLE = """format = 1
name = "my-game"
title = "My Game"
description = "What it is, in a sentence or two."
category = "sandbox"
[runtimes.process]
[startup]
command = "exec my-game-server --port {{SERVER_PORT}}"
"""


class ListQuery(msgspec.Struct, forbid_unknown_fields=True):
    """``search``: every word of it is in the name, the title or the description."""

    search: Annotated[str, msgspec.Meta(max_length=100)] = ""
    category: Category | None = None


class ImportQuery(msgspec.Struct, forbid_unknown_fields=True):
    """``replace``: take the place of the blueprint of the same name, if there is one."""

    replace: bool = False


class ImportSource(msgspec.Struct, forbid_unknown_fields=True):
    """Where a blueprint or egg is, or its text."""

    url: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    text: Annotated[str, msgspec.Meta(max_length=1024 * 1024)] | None = None

    __example__: ClassVar[dict[str, Any]] = {"url": "https://example.org/egg-paper.json", "text": None}


class ExportQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Without ``format`` it is the one that holds everything; ``ptdl_v2`` and ``plcn_v3`` are eggs."""

    format: Literal["toml", "zip", "ptdl_v2", "plcn_v3"] | None = None


class WriteBlueprint(msgspec.Struct, forbid_unknown_fields=True):
    """A blueprint as the text of a ``blueprint.toml``, or as JSON with the same keys (``document``).

    ``files`` are those that it names as icon or install script, in Base64.
    """

    toml: Annotated[str, msgspec.Meta(max_length=256 * 1024, examples=[EXAMPLE])] | None = None
    document: dict[str, Any] | None = None
    files: Annotated[dict[str, bytes], msgspec.Meta(max_length=8)] = {}

    __example__: ClassVar[dict[str, Any]] = {"document": None}


class BlueprintView(msgspec.Struct):
    """A blueprint; ``variables`` are those that the caller may see. ``icon_url`` is a path of the panel.

    ``modified``: it was built in until an administrator changed it, and can be restored.
    """

    id: str
    name: str
    title: str
    description: str
    category: str
    builtin: bool
    modified: bool
    icon_url: str
    runtimes: Runtimes
    variables: list[Variable]
    ports: list[Port]
    resources: Resources
    created_at: datetime
    updated_at: datetime

    __example__: ClassVar[dict[str, Any]] = {
        "name": "luanti",
        "title": "Luanti",
        "description": "An open voxel game engine.",
        "category": "sandbox",
        "builtin": True,
        "icon_url": "/api/v1/blueprints/7a8b9c0d-1e2f-4a3b-8c4d-5e6f7a8b9c0d/icon",
    }


class BlueprintDetail(BlueprintView):
    """A blueprint with its inner workings; some of them only for those who may manage blueprints.

    ``report`` says what of an egg is otherwise in the blueprint that was imported from it.
    """

    startup: Startup
    stop: Stop
    config: list[ConfigPatch]
    author: str
    features: list[str]
    denylist: list[str]
    update_url: str | None
    install_script: str | None
    install_image: str | None
    source: str | None
    report: list[Note]

    __example__: ClassVar[dict[str, Any]] = {
        "author": "somebody@example.org",
        "features": ["eula"],
        "denylist": ["*.sh"],
        "update_url": "https://example.org/egg-paper.json",
        "install_script": None,
        "install_image": None,
        "source": None,
        "report": [],
    }


class UpdateBlueprint(msgspec.Struct, forbid_unknown_fields=True):
    """Without ``digest`` nothing is changed; with that of an answer, what it showed is."""

    digest: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")] | None = None

    __example__: ClassVar[dict[str, Any]] = {"digest": None}


class Change(msgspec.Struct):
    """One thing that is otherwise: as text, or None where it isn't there at all."""

    path: str
    before: str | None
    after: str | None

    __example__: ClassVar[dict[str, Any]] = {"path": "variables.PORT.default", "before": "25565", "after": "25566"}


class BlueprintUpdate(msgspec.Struct):
    """What a newer version changes; ``applied``: has changed. ``report`` as in the blueprint."""

    url: str
    digest: str
    applied: bool
    changes: list[Change]
    report: list[Note]

    __example__: ClassVar[dict[str, Any]] = {
        "url": "https://example.org/egg-paper.json",
        "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "applied": False,
    }
