"""The node that ``stellar run`` makes of its own machine."""

from __future__ import annotations

from stellar.auth.permissions import SYSTEM
from stellar.config import Config
from stellar.errors import SetupError, Unauthenticated

from . import service
from .address import own_address
from .agent.identity import Identity, read_identity, write_identity
from .models import Node
from .schemas import CreateNode
from .settings import NodesSettings

LOCAL_NAME = "local"


def enrol_local_node(config: Config) -> None:
    """Make the node and its identity file, unless both are there; the panel's address is kept up to date."""
    settings = config.section(NodesSettings)
    if not settings.local:
        return
    directory = config.data / "agent"
    identity = read_identity(directory)
    node = Node.get_or_none(Node.local)
    if node is None:
        first, last = port_range(settings.local_ports, "nodes.local_ports")
        wanted = CreateNode(name=_free_name(), address=own_address(), port_start=first, port_end=last)
        node = service.create_node(SYSTEM, wanted, local=True)
    key = identity.key if identity is not None and _is_valid(identity) else service.rotate_key(node)
    write_identity(directory, Identity(config.local_url, node.id, key))


def _is_valid(identity: Identity) -> bool:
    try:
        return bool(service.authenticate_node(identity.node_id, identity.key).local)
    except Unauthenticated:
        return False


def _free_name() -> str:
    return LOCAL_NAME if Node.get_or_none(Node.name == LOCAL_NAME) is None else f"{LOCAL_NAME}-node"


def port_range(text: str, where: str) -> tuple[int, int]:
    """``25565-25664`` as numbers; ``SetupError`` naming ``where`` for anything else."""
    first, _, last = text.partition("-")
    if first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 65536:
        return int(first), int(last)
    raise SetupError(f"{where} has to be a range such as 25565-25664, not {text!r}.")
