"""Which nodes are online, and their last figures: from the cache that every heartbeat renews."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any, cast

from stellar.bus import cache, connections, names, sync
from stellar.bus.bus import current

Figures = dict[str, Any]

LATELY = 1.0
"""Seconds for which a node that was online counts as such without a look."""
_online_until: dict[str, float] = {}


async def figures(node_ids: Sequence[str]) -> dict[str, Figures]:
    """The last figures of those nodes that are online."""
    keys = [names.cache_node_metrics(node_id) for node_id in node_ids]
    found = await cache.get_many(current().redis, keys, dict[str, Any])
    return {node_id: value for node_id, value in zip(node_ids, found, strict=True) if value is not None}


async def online(node_ids: Sequence[str]) -> dict[str, bool]:
    """Whether each node is online."""
    known = await figures(node_ids)
    return {node_id: node_id in known for node_id in node_ids}


async def online_lately(node_ids: Collection[str]) -> set[str]:
    """Those that are online, or were a second ago: for what is asked so often that Redis would be felt."""
    now = time.monotonic()
    due = [node_id for node_id in node_ids if _online_until.get(node_id, 0.0) < now]
    if due:
        for node_id, is_online in (await online(due)).items():
            _online_until[node_id] = now + LATELY if is_online else 0.0
    return {node_id for node_id in node_ids if _online_until[node_id] >= now}


def online_now(node_ids: Collection[str]) -> set[str] | None:
    """Those that are online, for code without an event loop; None while Redis is away and nobody knows."""
    wanted = list(node_ids)
    try:
        beats = sync.client().mget([names.cache_node_metrics(node_id) for node_id in wanted]) if wanted else []
    except connections.Gone:
        return None
    return {node_id for node_id, beat in zip(wanted, cast("list[bytes | None]", beats), strict=True) if beat}


def figures_now(node_id: str) -> Figures | None:
    """An online node's last figures, for code without an event loop; None where nobody knows."""
    return cache.get_many_sync(sync.client(), [names.cache_node_metrics(node_id)], dict[str, Any])[0]


def cores_now(node_id: str) -> int | None:
    """How many processors an online node has, for code without an event loop; None where nobody knows."""
    cores = (figures_now(node_id) or {}).get("cores")
    return cores if isinstance(cores, int) else None


async def keep(node_id: str, metrics: Figures) -> None:
    """Note a sign of life."""
    await cache.put(current().redis, names.cache_node_metrics(node_id), metrics, names.NODE_METRICS_TTL)


async def forget(node_id: str) -> None:
    """The node has left."""
    await current().redis.delete(names.cache_node_metrics(node_id))
