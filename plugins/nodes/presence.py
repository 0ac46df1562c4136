"""Which nodes are online, and their last figures: from the cache that every heartbeat renews."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stellar.bus import cache, names
from stellar.bus.bus import current

Figures = dict[str, Any]


async def figures(node_ids: Sequence[str]) -> dict[str, Figures]:
    """The last figures of those nodes that are online."""
    keys = [names.cache_node_metrics(node_id) for node_id in node_ids]
    found = await cache.get_many(current().redis, keys, dict[str, Any])
    return {node_id: value for node_id, value in zip(node_ids, found, strict=True) if value is not None}


async def online(node_ids: Sequence[str]) -> dict[str, bool]:
    """Whether each node is online."""
    known = await figures(node_ids)
    return {node_id: node_id in known for node_id in node_ids}


async def keep(node_id: str, metrics: Figures) -> None:
    """Note a sign of life."""
    await cache.put(current().redis, names.cache_node_metrics(node_id), metrics, names.NODE_METRICS_TTL)


async def forget(node_id: str) -> None:
    """The node has left."""
    await current().redis.delete(names.cache_node_metrics(node_id))
