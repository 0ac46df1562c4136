"""Rotating a node's key: the agent gets the new one over its link, and the old one dies when it has it.

A key that was sent but not confirmed counts, too, until the node links with any: whichever the agent has kept,
it can link.
"""

from __future__ import annotations

import secrets

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.bus.bus import current
from stellar.db import call, write_tx
from stellar.errors import Conflict, DomainError, NodeUnreachable

from . import presence
from .allocations import lock
from .calls import NewKey, Result
from .models import Node
from .service import get_node, hash_secret

SECONDS = 10.0
UNCONFIRMED = 8
"""Keys that may be unconfirmed at a time."""

_under_way: set[str] = set()


async def rotate(actor: Actor, ref: str) -> Node:
    """Replace a node's key; ``NodeUnreachable`` while it is offline or doesn't answer, its key then stays."""
    node = await call(get_node, ref)
    if not (await presence.online([node.id]))[node.id]:
        raise NodeUnreachable(f"{node.name} is offline: its key can only be rotated over its link.")
    if node.id in _under_way:
        raise Conflict(f"The key of {node.name} is being rotated right now.", code="under_way")
    _under_way.add(node.id)
    try:
        await _exchange(actor, node)
    finally:
        _under_way.discard(node.id)
    return await call(get_node, node.id)


async def _exchange(actor: Actor, node: Node) -> None:
    key = secrets.token_urlsafe(32)
    await call(_offer, node.id, hash_secret(key))
    try:
        await current().call(node.id, "nodes.new_key", NewKey(key), returns=Result, timeout=SECONDS)
    except NodeUnreachable:
        raise
    except DomainError:
        await call(_withdraw, node.id, hash_secret(key))
        raise
    await call(_confirm, actor, node.id, hash_secret(key))


def _offer(node_id: str, key_hash: str) -> None:
    with write_tx():
        node = lock(node_id)
        if node.key_hash is None:
            raise Conflict(f"{node.name} has no key to rotate: join a machine with its join command.", code="no_key")
        if len(node.next_keys) >= UNCONFIRMED:
            raise Conflict(f"{node.name} hasn't confirmed earlier new keys: restart its agent, then try again.")
        Node.update(next_keys=[*node.next_keys, key_hash]).where(Node.id == node_id).execute()


def _withdraw(node_id: str, key_hash: str) -> None:
    with write_tx():
        node = lock(node_id)
        left = [other for other in node.next_keys if other != key_hash]
        Node.update(next_keys=left).where(Node.id == node_id).execute()


def _confirm(actor: Actor, node_id: str, key_hash: str) -> None:
    with write_tx():
        node = lock(node_id)
        if node.key_hash is None:
            raise Conflict(f"The key of {node.name} was revoked meanwhile.", code="no_key")
        Node.update(key_hash=key_hash, next_keys=[]).where(Node.id == node_id).execute()
        audit.record(actor, "node.rotate_key", target_type="node", target_id=node_id)
