"""The installation as a whole: figures, plugins, health."""

from __future__ import annotations

import logging
import platform
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import psutil

import stellar
from stellar.bus import connections, sync
from stellar.bus.bus import current
from stellar.db import call, database, now
from stellar.errors import DomainError
from stellar.extend.manager import Plugin
from stellar.extend.registry import HealthCheck
from stellar.http import proxies
from stellar.panel import Panel
from stellar.plugins.nodes import presence
from stellar.plugins.nodes import service as nodes

from . import service
from .schemas import CheckView, Health, NodeFigures, PluginView, Stats, Versions

log = logging.getLogger(__name__)

CORE = "core"


async def stats() -> Stats:
    """The installation in figures."""
    started = datetime.fromtimestamp(psutil.Process().create_time(), UTC)
    return Stats(
        users=await call(service.user_figures),
        servers=await call(service.server_figures),
        nodes=await _node_figures(),
        versions=Versions(
            stellar=stellar.__version__,
            python=platform.python_version(),
            database=await call(service.database_version),
            redis=await _redis_version(),
        ),
        uptime=round((now() - started).total_seconds(), 1),
        started_at=started,
    )


def plugins(panel: Panel) -> list[PluginView]:
    """Every plugin that was found, requirements first."""
    return [_plugin(plugin) for plugin in panel.plugins.plugins]


async def health(panel: Panel) -> Health:
    """Check everything that the panel needs."""
    own: list[tuple[str, Callable[[], Awaitable[str]]]] = [
        ("database", _check_database),
        ("redis", _redis_version),
        ("worker", _check_worker),
        ("nodes", _check_nodes),
    ]
    checks = [await _checked(name, check) for name, check in own]
    checks += [await _plugin_check(check) for check in panel.registry.health]
    if problem := proxies.problem(panel):
        checks.append(CheckView("proxies", CORE, False, problem))
    checks += [
        CheckView("plugin", plugin.name, False, "This plugin is disabled; the list of plugins says why.")
        for plugin in panel.plugins.plugins
        if not plugin.active
    ]
    return Health(all(check.ok for check in checks), checks)


def _plugin(plugin: Plugin) -> PluginView:
    manifest = plugin.manifest
    return PluginView(
        name=plugin.name,
        version=manifest.version if manifest else None,
        description=manifest.description if manifest else "",
        requires=list(manifest.requires) if manifest else [],
        source=plugin.source,
        builtin=plugin.builtin,
        active=plugin.active,
        error=plugin.error,
    )


async def _node_figures() -> NodeFigures:
    found = await call(nodes.list_nodes)
    online = await presence.online([node.id for node in found])
    return NodeFigures(len(found), sum(online.values()))


async def _redis_version() -> str:
    try:
        info: dict[str, Any] = await current().redis.info("server")
    except connections.Gone:
        raise connections.away() from None
    valkey = info.get("valkey_version")
    return f"Valkey {valkey}" if valkey else f"Redis {info['redis_version']}"


async def _check_database() -> str:
    await call(database.execute_sql, "select 1")
    return await call(service.database_version)


async def _check_worker() -> str:
    count = await call(_workers)
    if not count:
        raise DomainError("No worker runs: installs wait; start `stellar worker`, or look at its log.")
    return f"{count} running"


def _workers() -> int:
    """How many workers hold a lease."""
    from rq.worker_registration import REDIS_WORKER_KEYS

    client = sync.client()
    try:
        keys: Any = client.smembers(REDIS_WORKER_KEYS)
        return sum(int(bool(client.exists(key))) for key in keys)
    except connections.Gone:
        raise connections.away() from None


async def _check_nodes() -> str:
    enrolled = [node for node in await call(nodes.list_nodes) if node.key_hash is not None]
    online = await presence.online([node.id for node in enrolled])
    away = [node.name for node in enrolled if not online[node.id]]
    if away:
        raise DomainError(f"{', '.join(away)}: not connected; check that `stellar agent` runs there.")
    return f"{len(enrolled)} online" if enrolled else "no node has joined yet"


async def _checked(name: str, check: Callable[[], Awaitable[str]]) -> CheckView:
    try:
        return CheckView(name, CORE, True, await check())
    except DomainError as error:
        return CheckView(name, CORE, False, error.message)
    except Exception:
        log.exception("the health check %s failed", name)
        return CheckView(name, CORE, False, "The check itself failed; the log says why.")


async def _plugin_check(check: HealthCheck) -> CheckView:
    try:
        problem = await call(check.check)
    except Exception as error:
        log.exception("the health check %s of %s failed", check.name, check.plugin)
        problem = f"The check itself failed: {error}"
    return CheckView(check.name, check.plugin, problem is None, problem or "")
