"""Every way in which this node can run servers: the built-in ones, and those that plugins bring."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

from stellar.config import Config
from stellar.extend.agent import AgentContext
from stellar.extend.manager import PluginManager
from stellar.plugins.nodes.settings import AgentSettings

from ..settings import DockerSettings
from .containers import Containers
from .process import ProcessRuntime
from .runtime import Runtime

log = logging.getLogger(__name__)

Make = Callable[[AgentContext], Runtime]
BUILT_IN = ("process", "docker")
NAME = re.compile(r"[a-z][a-z0-9_-]{0,15}", re.ASCII)


class RuntimeRegistrar:
    """Handed to ``register_runtimes``."""

    def __init__(self) -> None:
        self.found: dict[str, Make] = {}

    def add(self, name: str, make: Make) -> None:
        """Offer a runtime: ``make(context)`` answers it, once per agent. ``ValueError`` for a name that can't be."""
        if not NAME.fullmatch(name):
            raise ValueError(f"a runtime can't be called {name!r}: it takes 1 to 16 small letters, digits, - and _")
        if name in BUILT_IN or name in self.found:
            raise ValueError(f"there is a runtime called {name!r} already")
        self.found[name] = make


def built_in(config: Config, agent_data: Path, place: Path) -> dict[str, Runtime]:
    """Those that need no plugin, also where they don't work: ``protection`` finds that out, by trying in ``place``."""
    return {
        "process": ProcessRuntime(place, sandboxed=config.section(AgentSettings).sandbox),
        "docker": Containers(agent_data, config.section(DockerSettings)),
    }


def make(context: AgentContext) -> dict[str, Runtime]:
    """All of them for one agent; a plugin's that can't be made is logged and left out."""
    found = built_in(context.config, context.data, context.data / "servers")
    for name, build in _of_plugins(context).items():
        try:
            found[name] = build(context)
        except Exception:
            log.exception("the runtime %s can't be used", name)
    return found


def _of_plugins(context: AgentContext) -> dict[str, Make]:
    registrar = RuntimeRegistrar()
    try:
        plugins = context.get(PluginManager)
    except LookupError:
        return {}
    for _ in plugins.each("register_runtimes", runtimes=registrar):
        pass
    return registrar.found
