"""``GET /healthz``: whether this process can do its work."""

from __future__ import annotations

import msgspec

from .. import __version__, db
from ..bus import bus
from ..db import database
from .answers import Answer
from .endpoint import endpoint
from .request import Request


class Health(msgspec.Struct):
    """``status`` is ``ok`` or ``failing``; ``checks`` maps a part to ``ok`` or ``failing``."""

    status: str
    version: str
    checks: dict[str, str]


class HealthResource:
    """``/healthz``."""

    @endpoint(permission=None, returns=Health)
    async def on_get(self, req: Request) -> Answer:
        """Whether the database and Redis answer; 503 when one of them doesn't."""
        checks = {"database": _word(await _database()), "redis": _word(await _redis())}
        well = set(checks.values()) == {"ok"}
        health = Health("ok" if well else "failing", __version__, checks)
        return Answer(health, status=200 if well else 503)


async def _database() -> bool:
    try:
        await db.call(database.execute_sql, "select 1")
    except Exception:
        return False
    return True


async def _redis() -> bool:
    try:
        return bool(await bus.current().redis.ping())
    except Exception:
        return False


def _word(well: bool) -> str:
    return "ok" if well else "failing"
