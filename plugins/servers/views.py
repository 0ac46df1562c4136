"""Servers as the API shows them; no query per row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import peewee

from stellar.auth.permissions import Actor
from stellar.plugins.blueprints.service import document_of, read_document

from . import answers, prompts, reads
from .detail_schemas import CommandView, ImageView, StartupView
from .models import Server
from .permissions import READ, require_scopes
from .schemas import BlueprintRef, DiskWarning, PromptView, ServerDetail, VariableView
from .service import admit, get_server
from .spec import Mount
from .specs import chosen_image, chosen_startup


def detail(actor: Actor, ref: str) -> ServerDetail:
    """One server that ``actor`` may see."""
    require_scopes(actor, READ)
    found = reads.find_shown(ref, actor.user_id)
    server = admit(actor, None if found is None else found.server, READ)
    assert found is not None
    view = found.view
    return ServerDetail(
        **{name: getattr(view, name) for name in view.__struct_fields__},
        install=found.install,
        variables=_variables(actor, server, found.document),
        autostart=server.autostart,
        prompts=_prompts(actor, server, found.document),
        disk_warning=_disk_warning(server),
        runtime=server.runtime,
        image=chosen_image(server, read_document(found.document)) if server.runtime == "docker" else None,
        mounts=msgspec.convert(server.mounts, list[Mount]) if actor.allowed("servers.resources") else [],
    )


def startup(actor: Actor, ref: str, action: str) -> StartupView:
    """How a server is started, for those who may do ``action``."""
    server = get_server(actor, ref, action)
    blueprint = server.blueprint
    document = document_of(blueprint)
    docker, process = document.runtimes.docker, document.runtimes.process
    return StartupView(
        command=chosen_startup(server, document),
        chosen=server.startup if any(one.name == server.startup for one in document.startup.choices) else "",
        commands=[CommandView("", document.startup.command)]
        + [CommandView(one.name, one.command) for one in document.startup.choices],
        blueprint=BlueprintRef(blueprint.id, blueprint.name, blueprint.title),
        variables=variables_of(actor, server),
        runtime=server.runtime,
        runtimes=[name for name, there in (("docker", docker), ("process", process)) if there is not None],
        image=chosen_image(server, document),
        images=[ImageView(one.name, one.image) for one in docker.images] if docker else [],
    )


def promised_memory() -> dict[str, int]:
    """The memory (MiB) that each node's servers have been given together."""
    rows: Any = Server.select(Server.node, peewee.fn.SUM(Server.memory_mb)).group_by(Server.node).tuples()
    return {str(row[0]): int(row[1]) for row in rows}


def variables_of(actor: Actor, server: Server) -> list[VariableView]:
    """The start-up variables that ``actor`` may see, with their values; none without ``startup.read``."""
    return _variables(actor, server, server.blueprint.document)


def _prompts(actor: Actor, server: Server, document: str) -> list[PromptView]:
    shown = prompts.open_prompts(server.id)
    for prompt in shown:
        prompt.answer = answers.offered(actor, server, read_document(document), prompt.name)
    return shown


def _disk_warning(server: Server) -> DiskWarning | None:
    if server.disk_level == "ok":
        return None
    return DiskWarning(server.disk_used, server.disk_level == "stopped", datetime.fromtimestamp(server.disk_at, UTC))


def _variables(actor: Actor, server: Server, document: str) -> list[VariableView]:
    if not actor.allowed("startup.read", server):
        return []
    return [
        VariableView(
            variable.env,
            variable.label,
            variable.description,
            server.variables.get(variable.env, variable.default),
            variable.rules,
            variable.user_editable,
        )
        for variable in read_document(document).variables
        if variable.user_viewable or actor.is_admin
    ]
