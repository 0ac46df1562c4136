"""The ports of a node: giving them to servers and taking them back."""

from __future__ import annotations

from collections.abc import Iterable

from stellar.db import database, is_postgres
from stellar.errors import Conflict

from .models import Allocation, Node

ANY_ADDRESS = "0.0.0.0"  # noqa: S104


def allocate(node: Node, server_id: str, ports: Iterable[tuple[str, str]]) -> list[Allocation]:
    """Give a server one free port for each ``(name, protocol)``; call it inside ``write_tx``.

    The first is the main one. ``Conflict`` when the node's range has none left.
    """
    wanted = list(ports)
    if is_postgres():
        # A plain FOR UPDATE would wait for whoever has just inserted a row that refers to this node, and they for us.
        database.execute_sql("select id from nodes_node where id = %s for no key update", (node.id,))
    taken = {row.port for row in Allocation.select(Allocation.port).where(Allocation.node == node)}
    free = [port for port in range(node.port_start, node.port_end + 1) if port not in taken]
    if len(free) < len(wanted):
        raise Conflict(
            f"{node.name} has no free port left in {node.port_start}-{node.port_end}: delete a server, or add a node.",
            code="no_free_port",
        )
    return [
        Allocation.create(
            node=node, ip=ANY_ADDRESS, port=port, server_id=server_id, name=name, protocol=protocol, position=position
        )
        for position, ((name, protocol), port) in enumerate(zip(wanted, free, strict=False))
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
