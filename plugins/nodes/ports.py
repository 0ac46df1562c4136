"""A node's ports as administrators see them: ranges, who has which, and which are reserved."""

from __future__ import annotations

from itertools import pairwise

import peewee

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.db import write_tx
from stellar.errors import Conflict, Invalid, NotFound

from .allocations import ANY_ADDRESS, RESERVED, described, lock, ranges
from .models import Allocation, Node
from .names import check_text
from .schemas import AllocationPage, AllocationQuery, AllocationView, PortRange, ReservePort
from .service import get_node

MAX_RANGES = 32


def check_ranges(wanted: list[PortRange]) -> list[tuple[int, int]]:
    """Ranges as pairs; ``Invalid`` for none, too many, reversed or overlapping ones."""
    if not 1 <= len(wanted) <= MAX_RANGES:
        raise _wrong(f"needs 1 to {MAX_RANGES} ranges")
    pairs = [(one.first, one.last) for one in wanted]
    if any(last < first for first, last in pairs):
        raise _wrong("has a range whose last port is below its first")
    ordered = sorted(pairs)
    if any(first <= last for (_, last), (first, _) in pairwise(ordered)):
        raise _wrong("has ranges that overlap")
    return pairs


def set_ranges(node: Node, pairs: list[tuple[int, int]]) -> None:
    """Give a locked node these ranges; ``Conflict`` names ports in use that they leave out."""
    rows = Allocation.select(Allocation.port).where(Allocation.node == node).order_by(Allocation.port)
    left_out = [row.port for row in rows if not any(first <= row.port <= last for first, last in pairs)]
    if left_out:
        shown = ", ".join(map(str, left_out[:10])) + (" …" if len(left_out) > 10 else "")
        raise Conflict(
            f"The ports {shown} of {node.name} are in use: keep them in a range, or free them first.",
            code="ports_used",
            fields={"port_ranges": f"leaves out {shown}"},
        )
    (first, last), *extra = pairs
    Node.update(port_start=first, port_end=last, extra_ports=extra).where(Node.id == node.id).execute()


def page(ref: str, query: AllocationQuery) -> AllocationPage:
    """A node's ranges, and its ports in use by number."""
    node = get_node(ref)
    all_ports = sum(last - first + 1 for first, last in ranges(node))
    mine = Allocation.node == node
    used = Allocation.select().where(mine).count()
    rows = Allocation.select().where(mine).order_by(Allocation.port, Allocation.ip)
    if query.after is not None:
        rows = rows.where(Allocation.port > query.after)
    if query.server is not None:
        rows = rows.where(Allocation.server_id == query.server)
    if query.reserved is not None:
        rows = rows.where((Allocation.server_id == RESERVED) == query.reserved)
    found = list(rows.limit(query.limit + 1))
    views = [_view(row) for row in found[: query.limit]]
    following = views[-1].port if len(found) > query.limit else None
    return AllocationPage([PortRange(*pair) for pair in ranges(node)], all_ports, all_ports - used, views, following)


def reserve(actor: Actor, ref: str, wanted: ReservePort) -> AllocationView:
    """Keep a port from servers; ``Conflict`` when it is in use, ``Invalid`` outside of the ranges."""
    note = check_text("note", wanted.note)
    try:
        with write_tx():
            node = lock(get_node(ref).id)
            if not any(first <= wanted.port <= last for first, last in ranges(node)):
                message = f"Port {wanted.port} is not one of {node.name}'s ports {described(node)}."
                raise Invalid(message, fields={"port": "is outside of the node's ranges"})
            if (holder := Allocation.get_or_none(Allocation.node == node, Allocation.port == wanted.port)) is not None:
                raise _in_use(holder)
            made = Allocation.create(
                node=node, ip=ANY_ADDRESS, port=wanted.port, server_id=RESERVED, name="reserved", note=note
            )
            _note(actor, "node.port_reserve", node, wanted.port)
    except peewee.IntegrityError:
        raise Conflict(f"Port {wanted.port} has just been taken.", code="port_used") from None
    return _view(made)


def release_port(actor: Actor, ref: str, port: str) -> None:
    """Let servers have a reserved port again; ``Conflict`` while a server has it."""
    number = int(port) if port.isascii() and port.isdecimal() and len(port) <= 5 else 0
    with write_tx():
        node = lock(get_node(ref).id)
        found = Allocation.get_or_none(Allocation.node == node, Allocation.port == number)
        if found is None:
            raise NotFound("That port of the node is neither reserved nor in use.")
        if found.server_id != RESERVED:
            raise _in_use(found)
        found.delete_instance()
        _note(actor, "node.port_release", node, number)


def _view(row: Allocation) -> AllocationView:
    return AllocationView(
        id=row.id,
        ip=row.ip,
        port=row.port,
        reserved=row.server_id == RESERVED,
        server_id=row.server_id or None,
        name=row.name,
        protocol=row.protocol,
        note=row.note,
    )


def _in_use(row: Allocation) -> Conflict:
    if row.server_id == RESERVED:
        return Conflict(f"Port {row.port} is reserved already.", code="port_used")
    return Conflict(f"Port {row.port} belongs to the server {row.server_id}: take it from it first.", code="port_used")


def _note(actor: Actor, action: str, node: Node, port: int) -> None:
    audit.record(actor, action, target_type="node", target_id=node.id, details={"port": port})


def _wrong(problem: str) -> Invalid:
    return Invalid(f"port_ranges {problem}.", fields={"port_ranges": problem})
