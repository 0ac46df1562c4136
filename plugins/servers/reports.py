"""Applying what nodes report of servers. What a node sends is checked: it may be any machine's."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec

from stellar.db import after_commit
from stellar.errors import Invalid
from stellar.plugins.nodes.reports import ReportRegistrar

from . import events, prompts
from .calls import DiskLevel, ServerState
from .models import Crash, Install, Server

CRASHES_KEPT = 10
LogText = Annotated[str, msgspec.Meta(max_length=256 * 1024)]

Moment = Annotated[float, msgspec.Meta(ge=0, lt=253_402_300_800)]
"""Seconds since the epoch that a calendar holds."""

T = TypeVar("T", bound=msgspec.Struct)


class StateReport(msgspec.Struct):
    """``server.state``"""

    state: ServerState
    at: float


class InstalledReport(msgspec.Struct):
    """``server.installed``"""

    install_id: str
    ok: bool
    exit_code: int | None
    log: LogText
    started_at: float
    finished_at: float


class CrashedReport(msgspec.Struct):
    """``server.crashed``"""

    at: float
    code: int | None
    signal: Annotated[str, msgspec.Meta(max_length=16)] | None
    oom: bool
    log: LogText
    restarting: bool
    reason: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class PromptReport(msgspec.Struct):
    """``server.prompt``"""

    name: Annotated[str, msgspec.Meta(max_length=64)]
    at: float
    line: Annotated[str, msgspec.Meta(max_length=1000)]


class DiskReport(msgspec.Struct):
    """``server.disk``"""

    level: DiskLevel
    used_bytes: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    limit_bytes: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    at: Moment


def declare(reports: ReportRegistrar) -> None:
    """Register the handlers."""
    reports.on("server.state", apply_state)
    reports.on("server.installed", apply_installed)
    reports.on("server.crashed", apply_crashed)
    reports.on("server.prompt", apply_prompt)
    reports.on("server.disk", apply_disk)


def apply_state(node_id: str, server_id: str | None, data: dict[str, Any]) -> None:
    """Note a server's state, unless a newer one is known."""
    server = _server(node_id, server_id)
    report = _parsed(data, StateReport)
    newer = Server.state_at <= report.at
    noted = Server.update(state=report.state, state_at=report.at).where(Server.id == server.id, newer).execute()
    if report.state == "starting":
        prompts.outdated(server, report.at)
    if noted and report.state != server.state:
        _tell(server, "state", {"state": report.state})


def apply_installed(node_id: str, server_id: str | None, data: dict[str, Any]) -> None:
    """Keep how an install went, if it is the one that is wanted."""
    server = _server(node_id, server_id)
    report = _parsed(data, InstalledReport)
    if report.install_id != server.install_id:
        return
    Install.delete().where(Install.server == server).execute()
    Install.create(server=server, **{**msgspec.structs.asdict(report), "log": _storable(report.log)})
    _tell(server, "installed", {"ok": report.ok})


def apply_crashed(node_id: str, server_id: str | None, data: dict[str, Any]) -> None:
    """Keep a crash; of each server the latest few."""
    server = _server(node_id, server_id)
    report = _parsed(data, CrashedReport)
    texts = {"log": _storable(report.log), "reason": _storable(report.reason)}
    Crash.create(server=server, **{**msgspec.structs.asdict(report), **texts})
    kept = Crash.select(Crash.id).where(Crash.server == server).order_by(Crash.at.desc()).limit(CRASHES_KEPT)
    ids = [row.id for row in kept]
    Crash.delete().where(Crash.server == server, Crash.id.not_in(ids)).execute()
    _tell(server, "crashed", {"restarting": report.restarting})


def apply_prompt(node_id: str, server_id: str | None, data: dict[str, Any]) -> None:
    """Keep a question of the game until somebody answers it."""
    server = _server(node_id, server_id)
    report = _parsed(data, PromptReport)
    prompt = prompts.opened(server, report.name, report.at, _storable(report.line))
    _tell(server, "prompt", {"prompt": prompt.name, "title": prompt.title})


def apply_disk(node_id: str, server_id: str | None, data: dict[str, Any]) -> None:
    """Note whether a server is over its disk limit, unless something newer is known."""
    server = _server(node_id, server_id)
    report = _parsed(data, DiskReport)
    values = {"disk_level": report.level, "disk_used": report.used_bytes, "disk_at": report.at}
    if Server.update(values).where(Server.id == server.id, Server.disk_at <= report.at).execute():
        told = {"level": report.level, "used_bytes": report.used_bytes, "limit_bytes": report.limit_bytes}
        _tell(server, "disk", told)


def _tell(server: Server, event: str, data: dict[str, Any]) -> None:
    after_commit(lambda: events.tell(server, event, data))


def _server(node_id: str, server_id: str | None) -> Server:
    server = Server.get_or_none(Server.id == server_id, Server.node == node_id)
    if server is None:
        raise Invalid("the server is not on this node")
    assert isinstance(server, Server)
    return server


def _parsed(data: dict[str, Any], type_: type[T]) -> T:
    try:
        return msgspec.convert(data, type_)
    except msgspec.ValidationError as error:
        raise Invalid(str(error)) from None


def _storable(text: str) -> str:
    """PostgreSQL can't keep a NUL in text."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
