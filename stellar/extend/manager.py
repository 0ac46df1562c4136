"""The plugin manager: loads plugins, stages what they register, calls their hooks one by one."""

from __future__ import annotations

import importlib
import inspect
import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from .. import hookspecs
from ..errors import SetupError
from .discovery import Candidate, find_plugins
from .manifest import Manifest, ManifestError, check_manifest
from .registry import (
    AgentModule,
    AssetRegistrar,
    CommandRegistrar,
    ConfigRegistrar,
    EventRegistrar,
    HealthRegistrar,
    JobRegistrar,
    PageRegistrar,
    PermissionRegistrar,
    RegistrationError,
    Registry,
    RouteRegistrar,
    SettingRegistrar,
    Stage,
)

log = logging.getLogger(__name__)

REGISTRARS: dict[str, tuple[str, type[Stage]]] = {
    "register_config": ("config", ConfigRegistrar),
    "register_commands": ("cli", CommandRegistrar),
    "register_permissions": ("permissions", PermissionRegistrar),
    "register_settings": ("settings", SettingRegistrar),
    "register_jobs": ("jobs", JobRegistrar),
    "register_events": ("events", EventRegistrar),
    "register_routes": ("routes", RouteRegistrar),
    "register_pages": ("pages", PageRegistrar),
    "register_assets": ("assets", AssetRegistrar),
    "register_health": ("checks", HealthRegistrar),
}


@dataclass
class Plugin:
    """A plugin that was found. ``error`` is the traceback or reason for which it is disabled."""

    name: str
    source: str
    builtin: bool
    manifest: Manifest | None = None
    module: ModuleType | None = None
    error: str | None = None

    @property
    def active(self) -> bool:
        """Whether its hooks are called."""
        return self.error is None

    @property
    def directory(self) -> Path | None:
        """Where its templates, static files and migrations are."""
        file = self.module.__file__ if self.module else None
        return Path(file).parent if file else None


class PluginManager:
    """The plugins of one process and what they have registered."""

    def __init__(self, data: Path | None, *, safe: bool = False) -> None:
        self.plugins: list[Plugin] = []
        self.registry = Registry()
        self._pluggy = pluggy.PluginManager("stellar")
        self._pluggy.add_hookspecs(hookspecs)
        found: list[Plugin] = []
        for candidate in find_plugins(data, safe=safe):
            found.append(self._import(candidate, {plugin.name for plugin in found if plugin.active}))
        for plugin in _in_order(found):
            self._attempt(plugin, partial(self._register, plugin))
            self.plugins.append(plugin)

    def active(self) -> list[Plugin]:
        """The plugins whose hooks are called, requirements first."""
        return [plugin for plugin in self.plugins if plugin.active]

    def stage(self, hooks: Iterable[str]) -> None:
        """Call the named registration hooks of each plugin; what one plugin stages counts all or not at all."""
        names = list(hooks)
        for plugin in self.active():
            self._attempt(plugin, partial(self._stage, plugin, names))

    def implements(self, hook: str) -> bool:
        """Whether any active plugin implements a hook; cheap."""
        return bool(self._hook(hook).get_hookimpls())

    def each(self, hook: str, **arguments: Any) -> Iterator[tuple[Plugin, Any]]:
        """Call a hook plugin by plugin, requirements first; one that raises is logged and left out.

        A ``SetupError`` is for the person who has started us, and goes through.
        """
        for plugin in self.active():
            try:
                for result in self._call(plugin, hook, arguments):
                    yield plugin, result
            except SetupError:
                raise
            except Exception:
                log.exception("the plugin %s failed in %s", plugin.name, hook)

    def strict(self, hook: str, **arguments: Any) -> list[Any]:
        """Call a hook plugin by plugin and let errors through: for hooks whose failure must deny."""
        return [result for plugin in self.active() for result in self._call(plugin, hook, arguments)]

    def _hook(self, name: str) -> pluggy.HookCaller:
        found = getattr(self._pluggy.hook, name)
        assert isinstance(found, pluggy.HookCaller)
        return found

    def _call(self, plugin: Plugin, hook: str, arguments: dict[str, Any]) -> list[Any]:
        return [
            implementation.function(**{name: arguments[name] for name in implementation.argnames})
            for implementation in self._hook(hook).get_hookimpls()
            if implementation.plugin is plugin.module
        ]

    def _import(self, candidate: Candidate, taken: set[str]) -> Plugin:
        plugin = Plugin(candidate.name, candidate.source, candidate.builtin)

        def load() -> None:
            plugin.module = candidate.load()
            plugin.manifest = check_manifest(getattr(plugin.module, "manifest", None))
            if plugin.manifest.name in taken:
                raise ManifestError(f"another plugin is already called {plugin.manifest.name}")
            plugin.name = plugin.manifest.name

        self._attempt(plugin, load)
        return plugin

    def _attempt(self, plugin: Plugin, step: Callable[[], None]) -> None:
        if not plugin.active:
            return
        try:
            step()
        except (ManifestError, RegistrationError) as error:
            self._disable(plugin, f"The plugin {plugin.name} is refused: {error}.")
        except SetupError:
            raise
        except Exception:
            self._disable(plugin, traceback.format_exc())

    def _disable(self, plugin: Plugin, error: str) -> None:
        if plugin.builtin:
            raise SetupError(f"The built-in plugin {plugin.name} is broken: {error}")
        reason = error.rstrip().rpartition("\n")[2]
        log.error("the plugin %s (%s) is disabled: %s (see `stellar plugin list`)", plugin.name, plugin.source, reason)
        plugin.error = error
        if plugin.module is not None and self._pluggy.is_registered(plugin.module):
            self._pluggy.unregister(plugin.module)

    def _register(self, plugin: Plugin) -> None:
        assert plugin.manifest is not None and plugin.module is not None
        active = {other.name for other in self.plugins if other.active}
        if missing := [name for name in plugin.manifest.requires if name not in active]:
            raise ManifestError(f"it requires {', '.join(missing)}, which is not active")
        if plugin.manifest.hookspecs:
            self._pluggy.add_hookspecs(importlib.import_module(plugin.manifest.hookspecs))
        _check_implementations(plugin.module)
        self._pluggy.register(plugin.module, plugin.name)
        self._pluggy.check_pending()

    def _stage(self, plugin: Plugin, hooks: list[str]) -> None:
        staged = Registry()
        for hook in hooks:
            if hook == "register_models":
                staged.models.extend(model for models in self._call(plugin, hook, {}) for model in models)
            elif hook == "register_agent":
                module = AgentModule(plugin.name)
                if self._call(plugin, hook, {"agent": module}):
                    staged.agent.append(module)
            else:
                argument, registrar = REGISTRARS[hook]
                self._call(plugin, hook, {argument: registrar(plugin.name, plugin.builtin, staged)})
        if plugin.directory is not None and (plugin.directory / "migrations").is_dir():
            staged.migrations[plugin.name] = plugin.directory / "migrations"
        self.registry.merge(staged)


def _in_order(plugins: list[Plugin]) -> list[Plugin]:
    """Requirements before those that require them; a circle stays as found, and is refused for what it misses."""
    ordered: list[Plugin] = []
    waiting = list(plugins)
    while waiting:
        done = {plugin.name for plugin in ordered}
        waits_for = {plugin.name for plugin in waiting}
        ready = [plugin for plugin in waiting if not _requires(plugin) & (waits_for - done)]
        step = ready or waiting
        ordered.extend(step)
        waiting = [plugin for plugin in waiting if plugin not in step]
    return ordered


def _requires(plugin: Plugin) -> set[str]:
    return set(plugin.manifest.requires) - {plugin.name} if plugin.manifest else set()


def _check_implementations(module: ModuleType) -> None:
    """Refuse what pluggy would call wrongly: async functions, keyword-only arguments and defaults."""
    for name, function in inspect.getmembers(module, inspect.isroutine):
        if not hasattr(function, "stellar_impl"):
            continue
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise ManifestError(f"its hook {name} is async; hooks are plain functions")
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is not parameter.POSITIONAL_OR_KEYWORD or parameter.default is not parameter.empty:
                raise ManifestError(f"its hook {name} has {parameter}: keyword-only and default arguments never arrive")
