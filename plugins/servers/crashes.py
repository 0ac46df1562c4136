"""Crash reports, as the panel keeps them of each server."""

from __future__ import annotations

from datetime import UTC, datetime

from stellar.auth.permissions import Actor
from stellar.plugins.blueprints.patterns import plain

from .detail_schemas import CrashList, CrashView
from .models import Crash
from .service import get_server

READ = "crashes.read"


def crashes(actor: Actor, ref: str) -> CrashList:
    """The crashes of a server that are kept, the latest first."""
    return CrashList(of_server(get_server(actor, ref, READ).id))


def of_server(server_id: str) -> list[CrashView]:
    """``crashes`` for somebody who may see them."""
    rows = Crash.select().where(Crash.server == server_id).order_by(Crash.at.desc(), Crash.id)
    return [_view(row) for row in rows]


def _view(row: Crash) -> CrashView:
    return CrashView(
        id=row.id,
        at=datetime.fromtimestamp(row.at, UTC),
        summary=_summary(row),
        code=row.code,
        signal=row.signal,
        oom=row.oom,
        reason=row.reason,
        restarting=row.restarting,
        log=plain(row.log),
    )


def _summary(row: Crash) -> str:
    """How it ended, in a few words."""
    if row.reason:
        return str(row.reason)
    if row.oom:
        return "It ran out of memory."
    if row.signal:
        return f"It was ended by {row.signal}."
    if row.code is not None:
        return f"It ended with exit code {row.code}."
    return "It ended, and nobody knows how."
