"""What plugins have registered, and the registrars through which they do it.

A registrar only stages: nothing of a plugin counts before all of its registrations have succeeded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec

from .agent import FindChecks, Handler, OnSpecs, Task


class RegistrationError(Exception):
    """Two registrations collide, or one is malformed."""


@dataclass(frozen=True)
class Section:
    """A configuration section ``[name]``."""

    plugin: str
    name: str
    type: type[msgspec.Struct]


@dataclass(frozen=True)
class Route:
    """A resource at a URI template, without the ``/api/v1`` that routes of the API get."""

    plugin: str
    path: str
    resource: object


@dataclass(frozen=True)
class Permission:
    """An action. ``roles`` hold it globally; ``server`` actions can be given to a server's members."""

    plugin: str
    action: str
    description: str
    roles: tuple[str, ...] = ()
    scope: str = "global"


@dataclass(frozen=True)
class Command:
    """A click command, imported from ``target`` (``module:attribute``) only when it is used."""

    plugin: str
    name: str
    target: str
    help: str


@dataclass(frozen=True)
class Job:
    """A job function, imported from ``target`` in the worker; called with keyword arguments."""

    plugin: str
    name: str
    target: str
    queue: str = "deployments"
    retries: int = 0
    timeout: int = 600
    cancelled: str = ""


@dataclass(frozen=True)
class Subscription:
    """A function called with each decoded message of a channel, in the web process."""

    plugin: str
    channel: str
    handler: Callable[[Any], Any]


@dataclass(frozen=True)
class Asset:
    """A built file below the plugin's ``static/``, loaded on every page (``.js`` or ``.css``)."""

    plugin: str
    path: str


@dataclass(frozen=True)
class Setting:
    """A value that an administrator may change while the panel runs; a ``secret`` one is never shown again."""

    plugin: str
    key: str
    type: Any
    default: Any
    description: str
    secret: bool = False


@dataclass(frozen=True)
class HealthCheck:
    """``check()`` answers None when all is well, else a sentence."""

    plugin: str
    name: str
    check: Callable[[], str | None]


@dataclass
class AgentModule:
    """A plugin's part of the agent; the ``AgentRegistrar`` that the plugin gets."""

    plugin: str
    handlers: dict[str, Handler] = field(default_factory=dict)
    starts: list[Task] = field(default_factory=list)
    stops: list[Task] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    specs: list[OnSpecs] = field(default_factory=list)
    checks: list[FindChecks] = field(default_factory=list)

    def handler(self, method: str, fn: Handler) -> None:
        """See ``AgentRegistrar``."""
        if method in self.handlers:
            raise RegistrationError(f"the agent method {method} is registered twice")
        self.handlers[method] = fn

    def start(self, fn: Task) -> None:
        """See ``AgentRegistrar``."""
        self.starts.append(fn)

    def stop(self, fn: Task) -> None:
        """See ``AgentRegistrar``."""
        self.stops.append(fn)

    def task(self, fn: Task) -> None:
        """See ``AgentRegistrar``."""
        self.tasks.append(fn)

    def on_specs(self, fn: OnSpecs) -> None:
        """See ``AgentRegistrar``."""
        self.specs.append(fn)

    def check(self, fn: FindChecks) -> None:
        """See ``AgentRegistrar``."""
        self.checks.append(fn)


@dataclass
class Registry:
    """Everything registered, in order."""

    sections: list[Section] = field(default_factory=list)
    models: list[type[Any]] = field(default_factory=list)
    migrations: dict[str, Path] = field(default_factory=dict)
    permissions: list[Permission] = field(default_factory=list)
    routes: list[Route] = field(default_factory=list)
    pages: list[Route] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    events: list[Subscription] = field(default_factory=list)
    agent: list[AgentModule] = field(default_factory=list)
    assets: list[Asset] = field(default_factory=list)
    settings: list[Setting] = field(default_factory=list)
    health: list[HealthCheck] = field(default_factory=list)

    def merge(self, staged: Registry) -> None:
        """Take over what one plugin has staged; ``RegistrationError`` (and no change) when a name is taken."""
        for name, key in _UNIQUE.items():
            taken = {key(entry): entry for entry in getattr(self, name)}
            for entry in getattr(staged, name):
                identity = key(entry)
                if identity in taken:
                    other = taken[identity].plugin
                    raise RegistrationError(f"{identity} ({name}) is registered by {other} and by {entry.plugin}")
                taken[identity] = entry
        for spec in fields(self):
            mine, theirs = getattr(self, spec.name), getattr(staged, spec.name)
            mine.update(theirs) if isinstance(mine, dict) else mine.extend(theirs)


_UNIQUE: dict[str, Callable[[Any], Any]] = {
    "sections": lambda entry: entry.name,
    "permissions": lambda entry: entry.action,
    "routes": lambda entry: entry.path,
    "pages": lambda entry: entry.path,
    "commands": lambda entry: entry.name,
    "jobs": lambda entry: entry.name,
    "settings": lambda entry: entry.key,
}


@dataclass(frozen=True)
class Stage:
    """One plugin's registrations in the making."""

    plugin: str
    builtin: bool
    staged: Registry = field(default_factory=Registry)


class ConfigRegistrar(Stage):
    """Handed to ``register_config``."""

    def section(self, name: str, type_: type[msgspec.Struct]) -> None:
        """Declare ``[name]``: a msgspec struct with a default for every key."""
        self.staged.sections.append(Section(self.plugin, name, type_))


class PermissionRegistrar(Stage):
    """Handed to ``register_permissions``."""

    def add(self, action: str, description: str, *, roles: tuple[str, ...] = (), scope: str = "global") -> None:
        """Declare an action such as ``servers.create``.

        ``roles`` that hold it everywhere (``admin`` holds every action); ``scope`` is ``global`` or ``server``.
        """
        self.staged.permissions.append(Permission(self.plugin, action, description, roles, scope))


class RouteRegistrar(Stage):
    """Handed to ``register_routes``."""

    def add(self, path: str, resource: object) -> None:
        """Serve ``resource`` at ``/api/v1`` + ``path``; a third-party path begins with ``/x/<plugin>/``."""
        self.staged.routes.append(Route(self.plugin, self._checked(path), resource))

    def _checked(self, path: str) -> str:
        if not path.startswith("/"):
            raise RegistrationError(f"the path {path!r} has to begin with a slash")
        if not self.builtin and not f"{path}/".startswith(f"/x/{self.plugin}/"):
            raise RegistrationError(f"the path {path} has to begin with /x/{self.plugin}/")
        return path


class PageRegistrar(RouteRegistrar):
    """Handed to ``register_pages``."""

    def add(self, path: str, resource: object) -> None:
        """Serve ``resource`` at ``path``; a third-party path begins with ``/x/<plugin>/``."""
        self.staged.pages.append(Route(self.plugin, self._checked(path), resource))


class CommandRegistrar(Stage):
    """Handed to ``register_commands``."""

    def add(self, name: str, target: str, help: str) -> None:
        """Add the command ``stellar NAME``; ``target`` is ``module:attribute`` of a click command.

        A ``name`` of two words, ``server console``, adds to the group of another plugin, or to ``user``.
        """
        self.staged.commands.append(Command(self.plugin, name, target, help))


class JobRegistrar(Stage):
    """Handed to ``register_jobs``."""

    def add(
        self,
        name: str,
        target: str,
        *,
        queue: str = "deployments",
        retries: int = 0,
        timeout: int = 600,
        cancelled: str = "",
    ) -> None:
        """Declare a job; ``target`` is ``module:function``, ``timeout`` in seconds.

        ``cancelled`` is another function, called with the same arguments when a job that waits is cancelled.
        """
        self.staged.jobs.append(Job(self.plugin, name, target, queue, retries, timeout, cancelled))


class EventRegistrar(Stage):
    """Handed to ``register_events``."""

    def on(self, channel: str, handler: Callable[[Any], Any]) -> None:
        """Call ``handler`` (sync) with each message of a channel, decoded from JSON."""
        self.staged.events.append(Subscription(self.plugin, channel, handler))


class AssetRegistrar(Stage):
    """Handed to ``register_assets``."""

    def add(self, path: str) -> None:
        """Load ``static/<path>`` of this plugin on every page."""
        if ".." in path.split("/") or path.startswith("/") or not path.endswith((".js", ".css")):
            raise RegistrationError(f"the asset {path!r} has to be a .js or .css file below static/")
        self.staged.assets.append(Asset(self.plugin, path))


class SettingRegistrar(Stage):
    """Handed to ``register_settings``."""

    def add(self, key: str, type_: Any, default: Any, description: str, *, secret: bool = False) -> None:
        """Declare a value that administrators may change, and with ``secret`` never see again."""
        self.staged.settings.append(Setting(self.plugin, key, type_, default, description, secret))


class HealthRegistrar(Stage):
    """Handed to ``register_health``."""

    def add(self, name: str, check: Callable[[], str | None]) -> None:
        """Add a check to the health page; ``check`` is called in a database thread."""
        self.staged.health.append(HealthCheck(self.plugin, name, check))
