"""The ports of a node: giving them to servers and taking them back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stellar.db import database, is_postgres
from stellar.errors import Conflict, NotFound

from .models import Allocation, Node

ANY_ADDRESS = "0.0.0.0"  # noqa: S104
RESERVED = ""
"""The ``server_id`` of a port that no server may have."""


def lock(node_id: str) -> Node:
    """A node as it is now, which nobody else changes or takes ports of before the transaction ends."""
    if is_postgres():
        # A plain FOR UPDATE would wait for whoever has just inserted a row that refers to this node, and they for us.
        database.execute_sql("select id from nodes_node where id = %s for no key update", (node_id,))
    node = Node.get_or_none(Node.id == node_id)
    if node is None:
        raise NotFound("There is no such node.")
    assert isinstance(node, Node)
    return node


def ranges(node: Node) -> list[tuple[int, int]]:
    """The first and last port of each of a node's ranges; servers get theirs from the first range that has one."""
    extra: list[list[int]] = node.extra_ports
    return [(node.port_start, node.port_end), *((first, last) for first, last in extra)]


def described(node: Node) -> str:
    """A node's ranges in words."""
    return ", ".join(f"{first}-{last}" for first, last in ranges(node))


def free_ports(node: Node) -> Iterator[int]:
    """The ports that no server has and that aren't reserved, in the order in which they are given out."""
    taken = {row.port for row in Allocation.select(Allocation.port).where(Allocation.node == node)}
    return (port for first, last in ranges(node) for port in range(first, last + 1) if port not in taken)


def refuse_draining(node: Node) -> None:
    """``Conflict`` when a node takes no new servers."""
    if node.draining:
        raise Conflict(
            f"{node.name} is being drained and takes no new servers: choose another node, or end its draining.",
            code="node_draining",
        )


def allocate(node: Node, server_id: str, ports: Iterable[tuple[str, str]]) -> list[Allocation]:
    """Give a new server one free port for each ``(name, protocol)``; call it inside ``write_tx``.

    The first is the main one. ``Conflict`` when the node is being drained, or its ranges have none left.
    """
    wanted = list(ports)
    node = lock(node.id)
    refuse_draining(node)
    free = [port for _, port in zip(wanted, free_ports(node), strict=False)]
    if len(free) < len(wanted):
        raise Conflict(
            f"{node.name} has no free port left in {described(node)}: delete a server, or add ports or a node.",
            code="no_free_port",
        )
    return [
        Allocation.create(
            node=node, ip=ANY_ADDRESS, port=port, server_id=server_id, name=name, protocol=protocol, position=position
        )
        for position, ((name, protocol), port) in enumerate(zip(wanted, free, strict=True))
    ]


def release(server_id: str) -> None:
    """Take back every port of a server."""
    Allocation.delete().where(Allocation.server_id == server_id).execute()


def by_server(server_ids: Iterable[str]) -> dict[str, list[Allocation]]:
    """The ports of each server, the main one first."""
    found: dict[str, list[Allocation]] = {}
    rows = Allocation.select().where(Allocation.server_id.in_(list(server_ids))).order_by(Allocation.position)
    for row in rows:
        found.setdefault(row.server_id, []).append(row)
    return found
