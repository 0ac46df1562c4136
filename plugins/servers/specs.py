"""From a server's rows to the spec that its node gets."""

from __future__ import annotations

from typing import Any

import msgspec
import peewee

from stellar.errors import NotFound
from stellar.plugins.blueprints.service import document_of
from stellar.plugins.blueprints.structs import Blueprint as Document
from stellar.plugins.nodes import allocations
from stellar.plugins.nodes.models import Allocation, Location, Node

from .known_prompts import prompts_of
from .models import Server
from .ports import limit
from .service import MISSING, joined
from .spec import ConfigPatch, Limits, Mount, Players, Port, Ready, Requirement, ServerSpec, Stop


def spec_of(server_id: str) -> tuple[str, ServerSpec]:
    """A server's node and spec; ``NotFound`` when it is gone or going."""
    server = _placed().where(Server.id == server_id, ~Server.removing).get_or_none()
    if server is None:
        raise NotFound(MISSING)
    ports = allocations.by_server([server.id]).get(server.id, [])
    return server.node.id, build(server, document_of(server.blueprint), ports)


def specs_of_node(node_id: str) -> list[dict[str, Any]]:
    """Everything wanted on a node, as JSON-like values."""
    servers = list(_placed().where(Server.node == node_id, ~Server.removing))
    ports = allocations.by_server([server.id for server in servers])
    documents = {server.blueprint.id: document_of(server.blueprint) for server in servers}
    return [
        msgspec.to_builtins(build(server, documents[server.blueprint.id], ports.get(server.id, [])))
        for server in servers
    ]


def build(server: Server, document: Document, ports: list[Allocation]) -> ServerSpec:
    """The spec of a server with this blueprint and these ports."""
    process = document.runtimes.process
    players = document.players
    return ServerSpec(
        id=server.id,
        name=server.name,
        runtime=server.runtime,
        startup=chosen_startup(server, document),
        startup_shell=document.startup.shell,
        stop=Stop(document.stop.command, document.stop.signal, document.stop.grace_seconds),
        done=document.startup.done,
        install_id=server.install_id,
        install_script=document.install.script or None,
        variables={variable.env: variable.default for variable in document.variables} | server.variables,
        install_image=document.install.image,
        install_shell=document.install.shell,
        limits=limits_of(server),
        ports=[Port(row.ip, row.port, row.protocol, row.name) for row in ports],
        patches=[ConfigPatch(patch.file, patch.parser, patch.values) for patch in document.config],
        requires=[Requirement(found.command, found.package) for found in process.requires] if process else [],
        image=chosen_image(server, document) if server.runtime == "docker" else None,
        suspended=server.suspended,
        ready=[Ready(found.port, found.protocol) for found in document.startup.ready],
        start_timeout=document.startup.timeout_seconds,
        autostart=server.autostart,
        prompts=prompts_of(document.features),
        players=Players(players.protocol, players.port) if players else None,
        mounts=msgspec.convert(server.mounts, list[Mount]),
        denylist=document.denylist,
        location=server.node.location.name if server.node.location else "",
        allocation_limit=limit(),
    )


def _placed() -> peewee.ModelSelect[Server]:
    """``joined``, with the location of each node."""
    return joined().select_extend(Location).join_from(Node, Location, peewee.JOIN.LEFT_OUTER)


def limits_of(server: Server) -> Limits:
    """What the server may use."""
    return Limits(
        memory_mb=server.memory_mb,
        cpu_percent=server.cpu_percent,
        disk_mb=server.disk_mb,
        swap_mb=server.swap_mb,
        cpu_set=server.cpu_set,
        io_weight=server.io_weight,
        pids=server.pids,
        oom_kill=server.oom_kill,
    )


def chosen_startup(server: Server, document: Document) -> str:
    """The command that its owner has chosen, else the blueprint's first."""
    commands = {choice.name: choice.command for choice in document.startup.choices}
    return commands.get(server.startup, document.startup.command)


def chosen_image(server: Server, document: Document) -> str | None:
    """The image that its owner has chosen, else the blueprint's first; None where it has none."""
    docker = document.runtimes.docker
    if docker is None:
        return None
    images = [found.image for found in docker.images]
    return server.image if server.image in images else images[0]
