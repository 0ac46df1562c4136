"""Changing a server: its name and resources, its start-up variables, its blueprint, and whether it is suspended."""

from __future__ import annotations

from typing import Any

import msgspec

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.db import after_commit, write_tx
from stellar.db.fields import new_id
from stellar.errors import Conflict, Invalid
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.blueprints.rules import parse_rules
from stellar.plugins.blueprints.service import document_of, hold
from stellar.plugins.blueprints.structs import Blueprint as Document

from . import events, ports
from .creation import check_image, check_variables
from .models import Server, searched
from .resources import FINE, UNITS, check_on_node, check_resources
from .schemas import PatchServer
from .service import announce, check_description, check_name, enqueue_install, get_server, locked

AT_REST = ("offline", "install_failed")
SUSPENDED = "server.suspended"
UNSUSPENDED = "server.unsuspended"
_ACTIONS = {"name": "settings.rename", "description": "settings.description", "autostart": "startup.update"}
_RESOURCES = (*UNITS, *FINE)


def patch_server(actor: Actor, ref: str, changes: PatchServer) -> None:
    """Change what is given, all of it or nothing; the node is told. Resources count from the next start on."""
    given = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not msgspec.UNSET}
    if cpu_set := given.get("cpu_set"):
        check_on_node(get_server(actor, ref, "servers.resources").node_id, cpu_set)
    with write_tx():
        for action in sorted({_ACTIONS.get(field, "servers.resources") for field in given} or {"servers.read"}):
            server = locked(actor, ref, action)
        if not given:
            return
        values: dict[str, Any] = dict(given)
        for field, check in (("name", check_name), ("description", check_description)):
            if field in values:
                values[field] = check(values[field])
        if "mounts" in values:
            values["mounts"] = msgspec.to_builtins(values["mounts"])
        check_resources({key: value for key, value in values.items() if key in _RESOURCES}, _document(server))
        found_by = searched(values.get("name", server.name), values.get("description", server.description))
        Server.update(**values, **found_by).where(Server.id == server.id).execute()
        audit.record(actor, "server.update", target_type="server", target_id=server.id, details=values)
        after_commit(lambda: _push(server.id, "server.updated"))


def change_startup(
    actor: Actor,
    ref: str,
    variables: dict[str, str],
    *,
    command: str | None = None,
    runtime: str | None = None,
    image: str | None = None,
) -> None:
    """Set start-up variables (the rest kept), and choose one of the blueprint's commands or images, or a runtime.

    All of it or nothing; it counts from the next start on. ``Invalid`` names variables that break a rule, or that
    ``actor`` may not set. The runtime is that of a server at rest, and one that its node has.
    """
    with write_tx():
        server = locked(actor, ref, "startup.update")
        if runtime is not None or image is not None:
            server = locked(actor, ref, "startup.image")
        changed = _chosen_command(server, command) | _surroundings(server, runtime, image)
        values = check_variables(actor, _document(server), variables, kept=server.variables)
        details: dict[str, Any] = dict(changed)
        if names := sorted(name for name in variables if server.variables.get(name) != values[name]):
            changed["variables"], details["variables"] = values, names
        if not changed:
            return
        Server.update(**changed).where(Server.id == server.id).execute()
        audit.record(actor, "server.startup", target_type="server", target_id=server.id, details=details)
        after_commit(lambda: _push(server.id, "server.updated"))


def change_blueprint(actor: Actor, ref: str, blueprint: Blueprint, runtime: str, given: dict[str, str]) -> None:
    """Make a server one of another blueprint and have that installed beside its files, which stay.

    Variables of the same name keep their values where the new rules allow them; ports are kept too.
    """
    document = document_of(blueprint)
    with write_tx():
        server = locked(actor, ref, "startup.image")
        if server.state not in AT_REST:
            raise Conflict(
                f"The server is {server.state}; stop it before its blueprint is changed.", code="not_offline"
            )
        hold(blueprint)
        events.ask(actor, server, "install")
        check_resources({field: getattr(server, field) for field in UNITS}, document)
        values = check_variables(actor, document, given, kept=_carried(server.variables, _document(server), document))
        ports.fit(server, document)
        Server.update(
            blueprint=blueprint.id,
            runtime=runtime,
            image="",
            startup="",
            variables=values,
            install_id=new_id(),
            state="installing",
        ).where(Server.id == server.id).execute()
        details = {"blueprint": blueprint.name}
        audit.record(actor, "server.blueprint", target_type="server", target_id=server.id, details=details)
        after_commit(lambda: _push(server.id, "server.updated"))


def set_suspended(actor: Actor, ref: str, suspended: bool) -> None:
    """Suspend a server or lift that: its node stops it, and open consoles end; nothing to do for one that is so."""
    with write_tx():
        server = locked(actor, ref, "servers.suspend")
        if server.suspended == suspended:
            return
        Server.update(suspended=suspended).where(Server.id == server.id).execute()
        action = "server.suspend" if suspended else "server.unsuspend"
        audit.record(actor, action, target_type="server", target_id=server.id)
        after_commit(lambda: _push(server.id, SUSPENDED if suspended else UNSUSPENDED))
        after_commit(lambda: events.tell(server, "suspended" if suspended else "unsuspended", {}))


def _chosen_command(server: Server, name: str | None) -> dict[str, Any]:
    """What differs; ``Invalid`` for a command that the blueprint doesn't have."""
    if name is None or name == server.startup:
        return {}
    offered = [choice.name for choice in _document(server).startup.choices]
    if name and name not in offered:
        text = f"has to be empty or one of {', '.join(offered)}" if offered else "has to be empty: there is only one"
        raise Invalid(f"The command {text}.", fields={"command": text})
    return {"startup": name}


def _surroundings(server: Server, runtime: str | None, image: str | None) -> dict[str, Any]:
    """What differs; ``Conflict`` for another runtime of a server that isn't at rest."""
    wanted: dict[str, Any] = {}
    if image is not None:
        wanted["image"] = check_image(_document(server), image)
    if runtime is not None:
        wanted["runtime"] = runtime
    changed = {key: value for key, value in wanted.items() if getattr(server, key) != value}
    if "runtime" in changed and server.state not in AT_REST:
        raise Conflict(f"The server is {server.state}; stop it before its runtime is changed.", code="not_offline")
    return changed


def _document(server: Server) -> Document:
    return document_of(server.blueprint)


def _carried(values: dict[str, str], before: Document, after: Document) -> dict[str, str]:
    """What of a server's variables means something to another blueprint.

    A value that the user chose doesn't become that of a variable that users may not choose.
    """
    chosen = {variable.env for variable in before.variables if variable.user_editable}
    return {
        variable.env: values[variable.env]
        for variable in after.variables
        if variable.env in values
        and (variable.user_editable or variable.env not in chosen)
        and parse_rules(variable.rules).problem(values[variable.env]) is None
    }


def _push(server_id: str, event: str) -> None:
    enqueue_install(server_id)
    announce(event, server_id)
