"""Rotating a node's key: the agent gets the new one over its link, and the old one dies when it has it.

A key that was sent but not confirmed counts, too, until the node links with any: whichever the agent has kept,
it can link. Several processes may rotate at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.bus.bus import current
from stellar.db import call, write_tx
from stellar.errors import Conflict, DomainError, NodeUnreachable

from . import link, presence
from .allocations import lock
from .calls import NewKey, Result
from .models import Node
from .service import get_node, hash_secret

SECONDS = 10.0
RELINK_SECONDS = 3.0
RELINK_POLL = 0.05
UNCONFIRMED = 8
"""Keys that may be unconfirmed at a time."""


async def rotate(actor: Actor, ref: str) -> Node:
    """Replace a node's key and cut its link, which it opens again with the new one.

    ``NodeUnreachable`` while it is offline or doesn't answer, its key then stays.
    """
    node = await call(get_node, ref)
    if not (await presence.online([node.id]))[node.id]:
        raise NodeUnreachable(f"{node.name} is offline: its key can only be rotated over its link.")
    key = secrets.token_urlsafe(32)
    old = await call(_offer, node.id, hash_secret(key))
    try:
        await current().call(node.id, "nodes.new_key", NewKey(key), returns=Result, timeout=SECONDS)
    except NodeUnreachable:
        raise
    except DomainError:
        await call(_withdraw, node.id, hash_secret(key))
        raise
    await call(_confirm, actor, node.id, old, hash_secret(key))
    await presence.forget(node.id)
    await link.renew(node.id)
    await _linked_again(node.id)
    return await call(get_node, node.id)


async def _linked_again(node_id: str) -> None:
    """The next call shall reach it; one that has trouble to link is no reason to fail, it has its key."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RELINK_SECONDS):
            while True:
                if (await presence.online([node_id]))[node_id]:
                    return
                await asyncio.sleep(RELINK_POLL)


def _offer(node_id: str, key_hash: str) -> str:
    """Let the node link with this key, too; the key that it has."""
    with write_tx():
        node = lock(node_id)
        if node.key_hash is None:
            raise Conflict(f"{node.name} has no key to rotate: join a machine with its join command.", code="no_key")
        if len(node.next_keys) >= UNCONFIRMED:
            raise Conflict(f"{node.name} hasn't confirmed earlier new keys: restart its agent, then try again.")
        Node.update(next_keys=[*node.next_keys, key_hash]).where(Node.id == node_id).execute()
    return node.key_hash


def _withdraw(node_id: str, key_hash: str) -> None:
    with write_tx():
        node = lock(node_id)
        left = [other for other in node.next_keys if other != key_hash]
        Node.update(next_keys=left).where(Node.id == node_id).execute()


def _confirm(actor: Actor, node_id: str, old: str, new: str) -> None:
    with write_tx():
        node = lock(node_id)
        if node.key_hash is None:
            raise Conflict(f"The key of {node.name} was revoked meanwhile.", code="no_key")
        if new not in node.next_keys and node.key_hash == old:
            raise Conflict(f"{node.name} has gone back to its old key: rotate it again.", code="not_taken")
        if new in node.next_keys:
            # The agent may have kept the key of another rotation that is under way: its next link says which.
            kept = {*node.next_keys, node.key_hash} - {old, new}
            Node.update(key_hash=new, next_keys=sorted(kept)).where(Node.id == node_id).execute()
        audit.record(actor, "node.rotate_key", target_type="node", target_id=node_id)
