"""The ports of a node: giving them to servers and taking them back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from stellar.db import database, is_postgres
from stellar.errors import Conflict, NotFound

from .models import Allocation, Node

ANY_ADDRESS = "0.0.0.0"  # noqa: S104
RESERVED = ""
"""The ``server_id`` of a port that no server may have."""


class Wanted(NamedTuple):
    """A port that a new server needs; one that ``follows`` is the number after the one before."""

    name: str
    protocol: str
    follows: bool = False


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


def allocate(node: Node, server_id: str, ports: Iterable[Wanted]) -> list[Allocation]:
    """Give a new server the free ports that it needs; call it inside ``write_tx``.

    The first is the main one. ``Conflict`` when the node is being drained, or its ranges have none left.
    """
    wanted = list(ports)
    node = lock(node.id)
    refuse_draining(node)
    return [
        Allocation.create(
            node=node,
            ip=ANY_ADDRESS,
            port=port,
            server_id=server_id,
            name=one.name,
            protocol=one.protocol,
            position=position,
        )
        for position, (one, port) in enumerate(zip(wanted, _chosen(node, wanted), strict=True))
    ]


def _chosen(node: Node, wanted: list[Wanted]) -> list[int]:
    chosen: list[int] = []
    free = dict.fromkeys(free_ports(node))
    for length in _runs(wanted):
        first = next((port for port in free if all(port + step in free for step in range(length))), None)
        if first is None:
            some = "no free port left" if length == 1 else f"no {length} free ports left that follow each other"
            raise Conflict(
                f"{node.name} has {some} in {described(node)}: delete a server, or add ports or a node.",
                code="no_free_port",
            )
        for port in range(first, first + length):
            del free[port]
            chosen.append(port)
    return chosen


def _runs(wanted: list[Wanted]) -> list[int]:
    """How many ports follow each other, again and again."""
    lengths: list[int] = []
    for one in wanted:
        if one.follows and lengths:
            lengths[-1] += 1
        else:
            lengths.append(1)
    return lengths


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
