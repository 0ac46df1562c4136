"""What goes out of the API of blueprints."""

from __future__ import annotations

from datetime import datetime

import msgspec

from .structs import ConfigPatch, Port, Resources, Runtimes, Startup, Stop, Variable


class BlueprintView(msgspec.Struct):
    """A blueprint; ``variables`` are those that the caller may see. ``icon_url`` is a path of the panel."""

    id: str
    name: str
    title: str
    description: str
    category: str
    builtin: bool
    icon_url: str
    runtimes: Runtimes
    variables: list[Variable]
    ports: list[Port]
    resources: Resources
    created_at: datetime
    updated_at: datetime


class BlueprintDetail(BlueprintView):
    """A blueprint with its inner workings; ``install_script`` and ``source`` only for administrators."""

    startup: Startup
    stop: Stop
    config: list[ConfigPatch]
    install_script: str | None
    source: str | None
