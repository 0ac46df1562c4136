"""Every hook of the core. All are plain functions; a hook that isn't implemented costs nothing.

Implementations may leave out arguments that they don't need, and are registered per plugin: what one plugin's
implementation raises never reaches another plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .extend.markers import hookspec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .auth.permissions import Actor
    from .extend import registry
    from .extend.agent import AgentRegistrar
    from .panel import Panel
    from .web.menu import MenuItem


# --- Registration: called once at the start of a process, in the order of the plugins' requirements ---


@hookspec
def register_config(config: registry.ConfigRegistrar) -> None:
    """Declare configuration sections, before anything else of the plugin is asked for."""


@hookspec
def register_commands(cli: registry.CommandRegistrar) -> None:
    """Add commands to ``stellar``; called at every use of the command line, so it must be quick."""


@hookspec
def register_models() -> Sequence[type[Any]]:
    """Name the plugin's peewee models. Their tables come from the plugin's ``migrations/`` directory."""
    return ()


@hookspec
def register_permissions(permissions: registry.PermissionRegistrar) -> None:
    """Declare the actions that the plugin checks."""


@hookspec
def register_settings(settings: registry.SettingRegistrar) -> None:
    """Declare values that administrators may change while the panel runs."""


@hookspec
def register_jobs(jobs: registry.JobRegistrar) -> None:
    """Declare the functions that the worker may be asked to run."""


@hookspec
def register_events(events: registry.EventRegistrar) -> None:
    """Subscribe to channels of the bus, in the web process."""


@hookspec
def register_routes(routes: registry.RouteRegistrar) -> None:
    """Add resources to the API, in the web process."""


@hookspec
def register_pages(pages: registry.PageRegistrar) -> None:
    """Add HTML pages, in the web process."""


@hookspec
def register_assets(assets: registry.AssetRegistrar) -> None:
    """Load scripts or style sheets on every page."""


@hookspec
def register_health(checks: registry.HealthRegistrar) -> None:
    """Add checks to the health page."""


@hookspec
def register_agent(agent: AgentRegistrar) -> None:
    """Add call handlers and tasks to the node agent; called only in ``stellar agent``."""


# --- Life of a process ---


@hookspec
def startup(app: Panel) -> None:
    """A panel process (``app.role`` is ``web``, ``worker`` or ``migrate``) is ready; the database is migrated."""


@hookspec
def prepare_run(app: Panel) -> None:
    """``stellar run`` is about to start the web, worker and agent processes on this machine; after ``startup``."""


@hookspec
def shutdown(app: Panel) -> None:
    """The process is about to end."""


# --- Requests ---


@hookspec
def authenticate(credentials: Mapping[str, str]) -> Actor | None:
    """Tell who sends these request headers (lower-case names); None leaves it to others.

    Called in a database thread, only for requests without a session cookie.
    """


@hookspec
def permission_allowed(actor: Actor, action: str, resource: object | None) -> bool | None:
    """False denies what would otherwise be allowed; nothing can allow what would otherwise be denied."""


@hookspec
def visible_events(actor: Actor) -> Mapping[str, Collection[str] | None]:
    """Which events the actor may follow: by kind of what they are about, the ids, or None for all of that kind.

    Called in a database thread when a browser begins to follow, after ``permissions.changed``, and now and then.
    """
    return {}


# --- Pages ---


@hookspec
def menu_items(actor: Actor, location: str) -> Sequence[MenuItem]:
    """Offer menu entries for a location: ``main``, ``admin``, or ``server``."""
    return ()


@hookspec
def page_slot(slot: str, view: Mapping[str, Any]) -> str | None:
    """HTML (already escaped) for a named slot of a page, such as ``dashboard.top``."""


@hookspec
def template_vars(view: Mapping[str, Any]) -> Mapping[str, Any]:
    """More variables for every template."""
    return {}
