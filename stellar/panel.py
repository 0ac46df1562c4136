"""The parts of one panel process: configuration, plugins, database."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .config import Config, DatabaseSettings, LogSettings, load_config
from .extend.manager import PluginManager
from .extend.registry import Registry

if TYPE_CHECKING:
    import asyncio

Role = Literal["web", "worker", "agent", "cli", "migrate"]

_COMMON = (
    "register_models",
    "register_permissions",
    "register_settings",
    "register_jobs",
    "register_health",
)
_WEB = ("register_events", "register_routes", "register_pages", "register_assets")
HOOKS: dict[Role, tuple[str, ...]] = {
    "web": (*_COMMON, *_WEB),
    "worker": _COMMON,
    "cli": _COMMON,
    "migrate": _COMMON,
    "agent": ("register_agent",),
}


class Panel:
    """What ``startup`` and ``shutdown`` hooks get."""

    def __init__(self, config: Config, plugins: PluginManager, role: Role) -> None:
        self.config = config
        self.plugins = plugins
        self.role = role
        self.unknown_proxies: set[str] = set()
        self._subscriptions: asyncio.Task[None] | None = None

    @property
    def registry(self) -> Registry:
        """Everything that plugins have registered for this role."""
        return self.plugins.registry

    def open(self) -> None:
        """Connect to the database, ``SetupError`` when it can't be opened, and set up Redis and the jobs."""
        from . import jobs, settings
        from .auth import permissions
        from .auth.jobs import JOBS
        from .bus import sync
        from .db import connect, handle, threads

        connect(self.config.database_url)
        threads.configure(self.config.section(DatabaseSettings).threads)
        handle.check()
        sync.init(self.config)
        global _current
        _current = self
        jobs.init((*JOBS, *self.registry.jobs))
        permissions.configure(self.registry.permissions, self.plugins)
        settings.configure(self.registry.settings, self.config)

    def migrate(self) -> dict[str, list[str]]:
        """Bring the database up to date; returns the applied migrations per plugin."""
        from .db.migrate import migrate

        return migrate(self.migrations(), self.config.data / "run" / "migrate.lock")

    def migrations(self) -> dict[str, Path]:
        """The migration directories by plugin, the core's first."""
        from .db.migrate import CORE

        return {"core": CORE, **self.registry.migrations}

    async def open_bus(self) -> None:
        """Start the bus in this event loop; ``stellar.bus.bus.current()`` answers it from now on."""
        from .bus import bus

        opened = bus.Bus(self.config.redis_url)
        await opened.start()
        bus.use(opened)
        if self.registry.events:
            import asyncio

            from .bus import subscriptions

            self._subscriptions = asyncio.create_task(subscriptions.serve(opened, self.registry.events))

    async def close_bus(self) -> None:
        """End the bus that ``open_bus`` has started."""
        from .bus import bus

        if self._subscriptions is not None:
            import asyncio

            self._subscriptions.cancel()
            await asyncio.gather(self._subscriptions, return_exceptions=True)
        await bus.current().close()
        bus.use(None)

    def start(self) -> None:
        """Call the plugins' ``startup``."""
        for _ in self.plugins.each("startup", app=self):
            pass

    def stop(self) -> None:
        """Call the plugins' ``shutdown`` and close this thread's connection."""
        for _ in self.plugins.each("shutdown", app=self):
            pass
        if self.role != "agent":
            from .bus import sync
            from .db import disconnect, threads

            sync.close()
            threads.close()
            disconnect()


_current: Panel | None = None


def current() -> Panel:
    """The panel of this process; only after its ``open``."""
    if _current is None:
        raise RuntimeError("the panel has not been opened in this process")
    return _current


def boot(role: Role, data: Path | None = None, *, config: Config | None = None) -> Panel:
    """Load configuration and plugins for a process; raises ``SetupError`` with one sentence."""
    config = config or load_config(data)
    plugins = load_plugins(config)
    plugins.stage(HOOKS[role])
    logging.getLogger().setLevel(_level(config))
    return Panel(config, plugins, role)


def load_plugins(config: Config) -> PluginManager:
    """Find the plugins and read their configuration sections."""
    plugins = PluginManager(config.data, safe=bool(os.environ.get("STELLAR_SAFE_MODE")))
    plugins.stage(["register_config"])
    for section in plugins.registry.sections:
        config.register(section.name, section.type)
    config.refuse_unknown_sections(frozenset(plugin.name for plugin in plugins.plugins if not plugin.active))
    return plugins


def _level(config: Config) -> int:
    name = config.section(LogSettings).level.upper()
    return logging.getLevelNamesMapping().get(name, logging.INFO)
