"""The rules of nodes: creating, joining, keys, removing."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import peewee
from packaging.version import InvalidVersion, Version

from stellar import __version__, audit
from stellar.auth.permissions import SYSTEM, Actor
from stellar.db import now, write_tx
from stellar.errors import Conflict, Invalid, NotFound, Unauthenticated

from . import wanted as wanted_on
from .allocations import RESERVED, lock, ranges
from .models import Allocation, JoinToken, Location, Node
from .names import check_name, check_text
from .protocol import MAX_CAPABILITIES
from .schemas import CreateNode, Enrolled, JoinCommand, LocationRef, NodeView, PortRange

JOIN_PREFIX = "join_"


def create_node(actor: Actor, wanted: CreateNode, *, local: bool = False) -> Node:
    """Make a node; ``Conflict`` when its name is taken."""
    if wanted.port_end < wanted.port_start:
        raise Invalid("The last port has to be at least the first.", fields={"port_end": "is below port_start"})
    try:
        with write_tx():
            node = Node.create(
                name=check_name(wanted.name),
                address=wanted.address,
                port_start=wanted.port_start,
                port_end=wanted.port_end,
                note=check_text("note", wanted.note),
                location=named_location(wanted.location),
                local=local,
            )
            audit.record(actor, "node.create", target_type="node", target_id=node.id, details={"name": node.name})
    except peewee.IntegrityError:
        raise Conflict(f"There is already a node called {wanted.name}.", fields={"name": "is taken"}) from None
    return node


def get_node(ref: str) -> Node:
    """A node by id or name; ``NotFound`` without one."""
    node = Node.get_or_none((Node.id == ref) | (Node.name == ref))
    if node is None:
        raise NotFound("There is no such node.")
    assert isinstance(node, Node)
    return node


def list_nodes() -> list[Node]:
    """Every node by name."""
    return list(Node.select().order_by(Node.name))


def remove_node(actor: Actor, ref: str, *, with_servers: bool = False) -> None:
    """Remove a node; ``Conflict`` while servers are on it, which says what remains and what to do.

    ``with_servers``: forget those of one that is being drained; the machine, which may be gone, keeps what it has.
    """
    node = get_node(ref)
    try:
        with write_tx():
            node = lock(node.id)
            if with_servers and node.draining:
                wanted_on.forget(actor, node.id)
            elif remaining := sorted(_servers_on(node)):
                raise _still_has_servers(node, remaining)
            Allocation.delete().where(Allocation.node == node).execute()
            node.delete_instance()
            audit.record(actor, "node.delete", target_type="node", target_id=node.id, details={"name": node.name})
    except peewee.IntegrityError:
        raise _still_has_servers(node, []) from None


def _servers_on(node: Node) -> set[str]:
    """A server may have no port, and a plugin may know of servers that have."""
    rows = Allocation.select(Allocation.server_id).where(Allocation.node == node, Allocation.server_id != RESERVED)
    return {row.server_id for row in rows} | wanted_on.server_ids(node.id)


def _still_has_servers(node: Node, remaining: list[str]) -> Conflict:
    count = f"{len(remaining)} server(s)" if remaining else "servers"
    shown = ", ".join(remaining[:20]) + (" …" if len(remaining) > 20 else "")
    if node.draining:
        message = f"{node.name} is being drained and still has {count}: delete them, or remove it with them (force)."
    else:
        message = f"{node.name} still has {count}: drain it first, and delete them."
    return Conflict(message, code="node_has_servers", fields={"servers": shown} if shown else {})


def make_join_token(actor: Actor, node_id: str, public_url: str, minutes: int) -> JoinCommand:
    """A new join command; earlier unused ones of the node stop working."""
    token = JOIN_PREFIX + secrets.token_urlsafe(24)
    expires_at = now() + timedelta(minutes=minutes)
    with write_tx():
        node = lock(get_node(node_id).id)
        JoinToken.delete().where(JoinToken.node == node, JoinToken.used_at.is_null()).execute()
        JoinToken.create(token_hash=hash_secret(token), node=node, expires_at=expires_at)
        audit.record(actor, "node.join_token", target_type="node", target_id=node.id)
    command = f"stellar agent --panel {public_url} --token {token}"
    return JoinCommand(command, token, expires_at)


def enrol(token: str, address: str) -> Enrolled:
    """Exchange a join token for a new node key; ``Unauthenticated`` for a used, expired or unknown one."""
    with write_tx():
        found = JoinToken.get_or_none(JoinToken.token_hash == hash_secret(token))
        if found is None or found.used_at is not None or found.expires_at < now():
            raise Unauthenticated(
                "This join token is unknown, used or expired; make a new one with the node's join command.",
                code="join_token",
            )
        used = JoinToken.update(used_at=now()).where(
            JoinToken.token_hash == found.token_hash, JoinToken.used_at.is_null()
        )
        if not used.execute():
            raise Unauthenticated("This join token has just been used.", code="join_token")
        node = found.node
        key = _set_key(node)
        if not node.address:
            Node.update(address=address).where(Node.id == node.id).execute()
        audit.record(SYSTEM, "node.enrol", target_type="node", target_id=node.id)
    return Enrolled(node.id, node.name, key)


def rotate_key(node: Node) -> str:
    """Give a node a new key; the old one stops working."""
    with write_tx():
        return _set_key(node)


def revoke_key(actor: Actor, node_id: str) -> Node:
    """Take a node's key away: it has to join again."""
    with write_tx():
        node = get_node(node_id)
        Node.update(key_hash=None, next_keys=[]).where(Node.id == node.id).execute()
        audit.record(actor, "node.revoke", target_type="node", target_id=node.id)
    return node


def authenticate_node(node_id: str, key: str) -> Node:
    """The node to which this key belongs; ``Unauthenticated`` otherwise.

    After a rotation that was not confirmed, the first key that is used ends every other one.
    """
    node = Node.get_or_none(Node.id == node_id)
    if node is None or node.key_hash is None or not _matches(node, key):
        raise Unauthenticated("This node key is not valid; join the node again.", code="node_key")
    assert isinstance(node, Node)
    if node.next_keys:
        _settle(node, hash_secret(key))
    return node


def _settle(node: Node, key_hash: str) -> None:
    """A rotation had no certain end; now the node has said which key it kept."""
    Node.update(key_hash=key_hash, next_keys=[]).where(Node.id == node.id, Node.key_hash == node.key_hash).execute()
    if key_hash != node.key_hash:
        audit.record(SYSTEM, "node.rotate_key", target_type="node", target_id=node.id)


def _matches(node: Node, key: str) -> bool:
    given = hash_secret(key)
    return any(hmac.compare_digest(known, given) for known in (node.key_hash, *node.next_keys))


def record_hello(node_id: str, hostname: str, platform: str, version: str, capabilities: dict[str, Any]) -> None:
    """Note what a node said of itself."""
    Node.update(
        hostname=hostname[:255],
        platform=platform[:255],
        version=version[:32],
        last_seen_at=now(),
    ).where(Node.id == node_id).execute()
    record_capabilities(node_id, capabilities)


def record_capabilities(node_id: str, capabilities: dict[str, Any]) -> None:
    """Note what a node says that it can do; what it says nothing of is as it was: it may not have found out yet.

    ``Invalid`` when that is too much.
    """
    node = Node.get_or_none(Node.id == node_id)
    if node is None:
        return
    known = {**node.capabilities, **capabilities}
    if len(msgspec.json.encode(known)) > MAX_CAPABILITIES:
        raise Invalid("What this node can do takes too many words.")
    Node.update(capabilities=known).where(Node.id == node_id).execute()


def record_seen(node_id: str) -> None:
    """Note that a node's link has just ended."""
    Node.update(last_seen_at=now()).where(Node.id == node_id).execute()


def server_counts(node_ids: Iterable[str]) -> dict[str, int]:
    """How many servers each node has, by the ports they hold."""
    rows: Any = (
        Allocation.select(Allocation.node, peewee.fn.COUNT(peewee.fn.DISTINCT(Allocation.server_id)))
        .where(Allocation.node.in_(list(node_ids)), Allocation.server_id != RESERVED)
        .group_by(Allocation.node)
        .tuples()
    )
    return {str(row[0]): int(row[1]) for row in rows}


def usage(node: Node) -> tuple[int, int, int, int]:
    """How many servers, ports of servers, reserved ports and ports altogether a node has."""
    rows = Allocation.select(Allocation.server_id).where(Allocation.node == node)
    holders = [row.server_id for row in rows]
    servers = [holder for holder in holders if holder != RESERVED]
    ports = sum(last - first + 1 for first, last in ranges(node))
    return len(set(servers)), len(servers), len(holders) - len(servers), ports


def views(nodes: list[Node], online: dict[str, bool]) -> list[NodeView]:
    """Nodes as the API shows them."""
    counts = server_counts([node.id for node in nodes])
    locations = {found.id: LocationRef(found.id, found.name) for found in Location.select()}
    return [_view(node, online.get(node.id, False), counts.get(node.id, 0), locations) for node in nodes]


def _view(node: Node, online: bool, servers: int, locations: dict[str, LocationRef]) -> NodeView:
    created_at: datetime = node.created_at
    return NodeView(
        id=node.id,
        name=node.name,
        address=node.address,
        online=online,
        local=node.local,
        enrolled=node.key_hash is not None,
        port_start=node.port_start,
        port_end=node.port_end,
        port_ranges=[PortRange(*pair) for pair in ranges(node)],
        draining=node.draining,
        note=node.note,
        location=locations.get(node.location_id or ""),
        hostname=node.hostname,
        platform=node.platform,
        version=node.version,
        outdated=_is_older(node.version),
        capabilities=node.capabilities,
        servers=servers,
        last_seen_at=node.last_seen_at,
        created_at=created_at,
    )


def _is_older(version: str) -> bool:
    """Whether an agent's release is older than this panel's; one that isn't a version at all counts as older."""
    if not version:
        return False
    try:
        return Version(version) < Version(__version__)
    except InvalidVersion:
        return True


def named_location(ref: str | None) -> Location | None:
    """The location that a body names by id or name; ``Invalid`` when there is none."""
    if ref is None:
        return None
    found = Location.get_or_none((Location.id == ref) | (Location.name == ref))
    if found is None:
        raise Invalid("There is no such location.", fields={"location": "There is no such location."})
    assert isinstance(found, Location)
    return found


def _set_key(node: Node) -> str:
    key = secrets.token_urlsafe(32)
    Node.update(key_hash=hash_secret(key), next_keys=[]).where(Node.id == node.id).execute()
    return key


def hash_secret(secret: str) -> str:
    """SHA-256 suffices: what is hashed here is random and long."""
    return hashlib.sha256(secret.encode()).hexdigest()
