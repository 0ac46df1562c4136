"""Creating a server: what it needs, which node has that, and the rows that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from stellar import audit
from stellar.auth import roles, users
from stellar.auth.permissions import Actor
from stellar.db import after_commit, write_tx
from stellar.db.fields import new_id
from stellar.errors import Forbidden, Invalid, NotFound
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.blueprints.rules import parse_rules
from stellar.plugins.blueprints.service import document_of, hold
from stellar.plugins.blueprints.structs import Blueprint as Document
from stellar.plugins.nodes import allocations
from stellar.plugins.nodes.models import Node

from . import events
from .models import Server
from .resources import FINE, UNITS, check_on_node, check_resources
from .schemas import CreateServer
from .service import announce, check_description, check_name, enqueue_install, new_short_id
from .settings import ServersSettings
from .spec import Limits


def create_server(
    actor: Actor,
    wanted: CreateServer,
    blueprint: Blueprint,
    place: tuple[Node, str],
    settings: ServersSettings,
    *,
    owner_id: str | None = None,
) -> Server:
    """Make the server's rows on a node with a runtime (``place``), give it its ports, and have it installed.

    It belongs to ``owner_id``, else to ``actor``, who has to be an administrator or the system to make one for others.
    ``Invalid`` names the field or variable that breaks a rule; ``Forbidden`` when the account has its limit.
    """
    node, runtime = place
    document = document_of(blueprint)
    limits = _limits(actor, wanted, document)
    check_on_node(node.id, limits.cpu_set)
    image = check_image(document, wanted.image)
    variables = check_variables(actor, document, wanted.variables)
    name, description = check_name(wanted.name), check_description(wanted.description)
    with write_tx():
        owner = owner_id if owner_id is not None and actor.is_admin else _limited_owner(actor, settings)
        # Before the row that refers to it: who removes the node meanwhile waits for us, and we don't wait for them.
        allocations.refuse_draining(allocations.lock(node.id))
        hold(blueprint)
        server = Server.create(
            short_id=new_short_id(),
            name=name,
            description=description,
            owner=owner,
            node=node,
            blueprint=blueprint,
            runtime=runtime,
            image=image,
            **msgspec.structs.asdict(limits),
            variables=variables,
            install_id=new_id(),
        )
        allocations.allocate(
            node, server.id, [allocations.Wanted(port.name, port.protocol, port.follows) for port in document.ports]
        )
        audit.record(actor, "server.create", target_type="server", target_id=server.id, details={"name": name})
        after_commit(lambda: _created(server))
    return server


def check_variables(
    actor: Actor, document: Document, given: dict[str, str], kept: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Every variable's value, checked by its rules; ``Invalid`` with the variable as field otherwise.

    What isn't ``given`` is ``kept`` as it is, or else the default.
    """
    known = {variable.env: variable for variable in document.variables}
    problems = {f"variables.{name}": "is not a variable of this blueprint" for name in given if name not in known}
    values: dict[str, str] = {}
    for name, variable in known.items():
        if name in given and not (actor.is_admin or (variable.user_viewable and variable.user_editable)):
            problems[f"variables.{name}"] = "may only be set by an administrator"
            continue
        if kept is not None and name in kept and name not in given:
            values[name] = kept[name]
            continue
        values[name] = given.get(name, variable.default)
    for name, variable in known.items():
        if name not in values or (kept is not None and name in kept and name not in given):
            continue
        if (problem := parse_rules(variable.rules).problem(values[name], values)) is not None:
            problems[f"variables.{name}"] = f"{variable.label}: {problem}"
    if problems:
        field, problem = next(iter(problems.items()))
        raise Invalid(f"{field} {problem}.", fields=problems)
    return values


def _created(server: Server) -> None:
    roles.announce(server.owner_id)
    announce("server.created", server.id, server.owner_id)
    enqueue_install(server.id)
    events.tell(server, "created", {})


def check_image(document: Document, image: str) -> str:
    """A choice among a blueprint's images, by its name or what people call it; empty: its first."""
    docker = document.runtimes.docker
    offered = docker.images if docker is not None else []
    for one in offered:
        if image in (one.image, one.name):
            return one.image
    if not image:
        return ""
    names = ", ".join(one.image for one in offered) or "none"
    raise Invalid(
        f"{document.title} doesn't run in the image {image}; it has: {names}.",
        fields={"image": f"has to be one of the blueprint's ({names})"},
    )


def _limits(actor: Actor, wanted: CreateServer, document: Document) -> Limits:
    chosen: dict[str, Any] = {}
    for key in UNITS:
        asked = getattr(wanted, key)
        chosen[key] = getattr(document.resources, key).recommended if asked is None else asked
    fine = {key: value for key in FINE if (value := getattr(wanted, key)) is not None}
    if fine:
        actor.require("servers.resources")
    check_resources({**chosen, **fine}, document)
    return Limits(**chosen, **fine)


def _limited_owner(actor: Actor, settings: ServersSettings) -> str:
    """The account of ``actor``, unless that has its limit."""
    if actor.user_id is None:
        raise NotFound("A server needs an owner; sign in as a user.")
    if actor.is_admin:
        return actor.user_id
    users.lock(actor.user_id)
    if Server.select().where(Server.owner == actor.user_id).count() >= settings.user_limit:
        raise Forbidden(
            f"Your account may have {settings.user_limit} servers; ask an administrator for more.", code="server_limit"
        )
    return actor.user_id
