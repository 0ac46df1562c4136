"""What goes in and out of the API of blueprints."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

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


class ExportQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Without ``format`` it is the one that holds everything."""

    format: Literal["toml", "zip"] | None = None


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
    """A blueprint with its inner workings; ``install_script`` and ``source`` for those who may manage them."""

    startup: Startup
    stop: Stop
    config: list[ConfigPatch]
    install_script: str | None
    source: str | None

    __example__: ClassVar[dict[str, Any]] = {"install_script": None, "source": None}
