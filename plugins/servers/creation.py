"""Creating a server: what it needs, which node has that, and the rows that it becomes."""

from __future__ import annotations

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.db import after_commit, write_tx
from stellar.db.fields import new_id
from stellar.errors import Forbidden, Invalid, NotFound
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.blueprints.rules import parse_rules
from stellar.plugins.blueprints.service import document_of
from stellar.plugins.blueprints.structs import Blueprint as Document
from stellar.plugins.nodes import allocations
from stellar.plugins.nodes.models import Node

from . import events
from .models import Server
from .schemas import CreateServer
from .service import announce, check_description, check_name, enqueue_install, lock_owner, new_short_id
from .settings import ServersSettings
from .spec import Limits


def create_server(
    actor: Actor, wanted: CreateServer, blueprint: Blueprint, place: tuple[Node, str], settings: ServersSettings
) -> Server:
    """Make the server's rows on a node with a runtime (``place``), give it its ports, and have it installed.

    ``Invalid`` names the field or variable that breaks a rule; ``Forbidden`` when the account has its limit.
    """
    node, runtime = place
    document = document_of(blueprint)
    limits = _limits(wanted, document)
    variables = check_variables(actor, document, wanted.variables)
    name, description = check_name(wanted.name), check_description(wanted.description)
    with write_tx():
        _check_limit(actor, settings)
        server = Server.create(
            short_id=new_short_id(),
            name=name,
            description=description,
            owner=actor.user_id,
            node=node,
            blueprint=blueprint,
            runtime=runtime,
            memory_mb=limits.memory_mb,
            cpu_percent=limits.cpu_percent,
            disk_mb=limits.disk_mb,
            variables=variables,
            install_id=new_id(),
        )
        allocations.allocate(node, server.id, [(port.name, port.protocol) for port in document.ports])
        audit.record(actor, "server.create", target_type="server", target_id=server.id, details={"name": name})
        after_commit(lambda: _created(server))
    assert isinstance(server, Server)
    return server


def check_variables(actor: Actor, document: Document, given: dict[str, str]) -> dict[str, str]:
    """Every variable's value, checked by its rules; ``Invalid`` with the variable as field otherwise."""
    known = {variable.env: variable for variable in document.variables}
    problems = {f"variables.{name}": "is not a variable of this blueprint" for name in given if name not in known}
    values: dict[str, str] = {}
    for name, variable in known.items():
        if name in given and not variable.user_editable and not actor.is_admin:
            problems[f"variables.{name}"] = "may only be set by an administrator"
            continue
        values[name] = given.get(name, variable.default)
        if (problem := parse_rules(variable.rules).problem(values[name])) is not None:
            problems[f"variables.{name}"] = f"{variable.label}: {problem}"
    if problems:
        field, problem = next(iter(problems.items()))
        raise Invalid(f"{field} {problem}.", fields=problems)
    return values


def _created(server: Server) -> None:
    enqueue_install(server.id)
    announce("server.created", server.id)
    events.tell(server, "created", {})


def _limits(wanted: CreateServer, document: Document) -> Limits:
    problems: dict[str, str] = {}
    chosen: dict[str, int] = {}
    for key, unit in (("memory_mb", "MiB"), ("cpu_percent", "%"), ("disk_mb", "MiB")):
        amount = getattr(document.resources, key)
        asked = getattr(wanted, key)
        chosen[key] = amount.recommended if asked is None else asked
        if 0 < chosen[key] < amount.minimum:
            problems[key] = f"has to be at least {amount.minimum} {unit} for {document.title}"
    if problems:
        field, problem = next(iter(problems.items()))
        raise Invalid(f"{field} {problem}.", fields=problems)
    return Limits(**chosen)


def _check_limit(actor: Actor, settings: ServersSettings) -> None:
    if actor.user_id is None:
        raise NotFound("A server needs an owner; sign in as a user.")
    if actor.is_admin:
        return
    lock_owner(actor.user_id)
    if Server.select().where(Server.owner == actor.user_id).count() >= settings.user_limit:
        raise Forbidden(
            f"Your account may have {settings.user_limit} servers; ask an administrator for more.", code="server_limit"
        )
