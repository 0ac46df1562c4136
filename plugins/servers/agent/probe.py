"""What this host can do: which commands it has, which runtimes work, and what really protects it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from typing import Any

from stellar.errors import DomainError

from .quota import Quotas
from .runtime import Runtime

log = logging.getLogger(__name__)

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/games:/usr/games"
"""Where a server's own shell looks: not the agent's PATH, which may name places that a server can't see."""

WITHOUT_QUOTAS = (
    "So a server that is over its limit is warned, gets no more files through the panel, and is stopped after a while; "
    "the game itself can go on writing until then."
)


def find_command(name: str) -> str | None:
    """The path of a command that a server could run here."""
    return shutil.which(name, path=SEARCH_PATH)


def find_commands(names: Iterable[str]) -> dict[str, str | None]:
    """Each command's path, or None."""
    return {name: find_command(name) for name in names}


async def examine(
    runtimes: dict[str, Runtime], quotas: Quotas | None = None
) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """The capabilities ``runtimes`` (name to ``{available, reason}``) and ``protection`` (``{active, reasons}``)."""
    works = quotas is not None and not quotas.problem
    reason = {} if works or quotas is None else {"disk": f"{quotas.problem} {WITHOUT_QUOTAS}"}
    available: dict[str, dict[str, Any]] = {}
    protection: dict[str, dict[str, Any]] = {}
    for name, runtime in runtimes.items():
        try:
            found = await runtime.protection()
        except DomainError as error:
            available[name] = {"available": False, "reason": error.message}
            continue
        except Exception as error:
            log.warning("the runtime %s doesn't work here", name, exc_info=True)
            available[name] = {"available": False, "reason": str(error)}
            continue
        available[name] = {"available": True, "reason": ""}
        protection[name] = {
            "active": {**found.active, "disk": works},
            "reasons": {**found.reasons, **reason},
        }
    return available, protection
