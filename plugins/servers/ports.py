"""The ports of a server: more of them within the limit, which is the main one, notes, and giving them back."""

from __future__ import annotations

from typing import Any

from stellar import audit, panel
from stellar.auth.permissions import Actor
from stellar.db import after_commit, write_tx
from stellar.errors import Conflict, Forbidden, Invalid, NotFound
from stellar.plugins.blueprints.service import document_of
from stellar.plugins.blueprints.structs import Blueprint as Document
from stellar.plugins.nodes import allocations
from stellar.plugins.nodes.models import Allocation
from stellar.text import tidy

from .detail_schemas import AddAllocation, AllocationDetail, AllocationList, PatchAllocation
from .models import Server
from .service import enqueue_install, get_server, locked
from .settings import ServersSettings

EXTRA = "extra"
FREES_PORTS = ("offline", "install_failed", "installing")


def list_ports(actor: Actor, ref: str) -> AllocationList:
    """A server's ports, the main one first."""
    return _listed(get_server(actor, ref, "allocations.read"))


def add_port(actor: Actor, ref: str, wanted: AddAllocation) -> AllocationList:
    """Give a server a free port of its node; ``Forbidden`` when it has as many as the limit allows."""
    note = _checked(wanted.note)
    with write_tx():
        server = locked(actor, ref, "allocations.create")
        rows = _rows(server)
        most = limit()
        if len(rows) >= most:
            raise Forbidden(f"A server may have {most} ports here; take one away first.", code="allocation_limit")
        position = 1 + max((row.position for row in rows), default=-1)
        row = _extend(server, position, _unused({row.name for row in rows}), wanted.protocol, note)
        _note(actor, server, "create", row.port)
    return _listed(server)


def change_port(actor: Actor, ref: str, allocation_id: str, changes: PatchAllocation) -> AllocationList:
    """Set a port's note, or make it the main one.

    The main port and the one before it change places with their names, so that what the blueprint calls its ports
    goes on to mean something.
    """
    with write_tx():
        server = locked(actor, ref, "allocations.update")
        rows = _rows(server)
        row = _named(rows, allocation_id)
        if isinstance(changes.note, str):
            Allocation.update(note=_checked(changes.note)).where(Allocation.id == row.id).execute()
        if changes.primary is True and row.id != rows[0].id:
            _refuse_following(server)
            _swap(rows[0], row)
        _note(actor, server, "update", row.port)
    return _listed(server)


def remove_port(actor: Actor, ref: str, allocation_id: str) -> None:
    """Give a port back; ``Conflict`` for one that the server needs, or that a game may still be listening on."""
    with write_tx():
        server = locked(actor, ref, "allocations.delete")
        rows = _rows(server)
        row = _named(rows, allocation_id)
        if row.id == rows[0].id:
            raise Conflict("This is the main port; make another one the main port first.", code="main_port")
        if row.name in {port.name for port in document_of(server.blueprint).ports if not port.optional}:
            message = f"The game needs this port as its port “{row.name}”."
            raise Conflict(message, code="needed_port")
        if server.state not in FREES_PORTS:
            message = f"The server is {server.state} and may be using this port; stop it first."
            raise Conflict(message, code="not_offline")
        Allocation.delete().where(Allocation.id == row.id).execute()
        _note(actor, server, "delete", row.port)


def fit(server: Server, document: Document) -> None:
    """Let a server's ports be those of another blueprint, inside ``write_tx``: by name, then in order.

    What it lacks it is given; what is left over it keeps as extra ports.
    """
    left = _rows(server)
    taken = {port.name for port in document.ports}
    before = 0
    for position, port in enumerate(document.ports):
        # The main port stays the main one, whatever it is called.
        named = next((row for row in left if row.name == port.name), None) if position else None
        if port.follows:
            number = before + 1
            row = next((row for row in left if row.port == number), None) or _take(server, number, position, port.name)
        else:
            row = named or (left[0] if left else _extend(server, position, port.name, port.protocol, ""))
        if row in left:
            left.remove(row)
        _place(row, port.name, port.protocol, position)
        before = row.port
    for position, row in enumerate(left, len(document.ports)):
        taken.add(name := _unused(taken))
        _place(row, name, row.protocol, position)


def limit() -> int:
    """How many ports a server can be given."""
    return panel.current().config.section(ServersSettings).allocation_limit


def _rows(server: Server) -> list[Allocation]:
    return allocations.by_server([server.id]).get(server.id, [])


def _named(rows: list[Allocation], allocation_id: str) -> Allocation:
    for row in rows:
        if row.id == allocation_id:
            return row
    raise NotFound("The server has no such port.")


def _refuse_following(server: Server) -> None:
    ports = document_of(server.blueprint).ports
    if any(port.follows for port in ports[1:2]):
        message = (
            f"The game takes the number after its main port as its port “{ports[1].name}”, so that port has to stay."
        )
        raise Conflict(message, code="needed_port")


def _take(server: Server, number: int, position: int, name: str) -> Allocation:
    node = allocations.lock(server.node_id)
    if number not in allocations.free_ports(node):
        message = f"The game needs port {number} as its port “{name}”, and {node.name} has no such port free."
        raise Conflict(message, code="no_free_port")
    return _add(server, number, name=name, protocol="both", position=position)


def _extend(server: Server, position: int, name: str, protocol: str, note: str) -> Allocation:
    node = allocations.lock(server.node_id)
    port = next(allocations.free_ports(node), None)
    if port is None:
        message = f"{node.name} has no free port left in {allocations.described(node)}: ask an administrator."
        raise Conflict(message, code="no_free_port")
    return _add(server, port, name=name, protocol=protocol, position=position, note=note)


def _add(server: Server, port: int, **values: Any) -> Allocation:
    row = Allocation.create(node=server.node_id, ip=allocations.ANY_ADDRESS, port=port, server_id=server.id, **values)
    assert isinstance(row, Allocation)
    return row


def _unused(names: set[str]) -> str:
    return next(name for number in range(1, len(names) + 2) if (name := f"{EXTRA}{number}") not in names)


def _swap(one: Allocation, other: Allocation) -> None:
    before = one.name, one.protocol, one.position
    _place(one, other.name, other.protocol, other.position)
    _place(other, *before)


def _place(row: Allocation, name: str, protocol: str, position: int) -> None:
    values = {"name": name, "protocol": protocol, "position": position}
    Allocation.update(**values).where(Allocation.id == row.id).execute()


def _checked(text: str) -> str:
    note = tidy(text)
    if note is None:
        raise Invalid("The note may not hold control characters.", fields={"note": "holds control characters"})
    return note


def _note(actor: Actor, server: Server, what: str, port: int) -> None:
    action = f"server.allocation_{what}"
    audit.record(actor, action, target_type="server", target_id=server.id, details={"port": port})
    after_commit(lambda: enqueue_install(server.id))


def _listed(server: Server) -> AllocationList:
    rows = _rows(server)
    address = server.node.address
    items = [
        AllocationDetail(
            address=address,
            ip=row.ip,
            port=row.port,
            protocol=row.protocol,
            name=row.name,
            id=row.id,
            primary=number == 0,
            note=row.note,
        )
        for number, row in enumerate(rows)
    ]
    return AllocationList(items, limit())
