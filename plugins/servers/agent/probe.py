"""What this host can do: which commands it has, which runtimes work, and what really protects it."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Iterable
from typing import Any

from stellar.errors import DomainError

from .quota import Quotas
from .runtime import Protection, Runtime

log = logging.getLogger(__name__)

Found = dict[str, dict[str, Any]]
PATIENCE = 4.0
"""Seconds that a runtime may take to say what it can do, until it counts as one that doesn't work now."""
LATE = "It has not answered for {seconds:g} seconds; it is shown here as soon as it does."

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


async def examine(runtimes: dict[str, Runtime], quotas: Quotas | None = None) -> tuple[Found, Found]:
    """The capabilities ``runtimes`` (name to ``{available, reason}``) and ``protection`` (``{active, reasons}``)."""
    survey = Survey(runtimes, quotas)
    await survey.look(patience=None)
    return survey.available, survey.protection


class Survey:
    """What each runtime can do here. They are asked at the same time, and a slow one holds nobody up for long."""

    def __init__(
        self, runtimes: dict[str, Runtime], quotas: Quotas | None, tell: Callable[[Survey], None] | None = None
    ) -> None:
        """``tell`` is called with every answer, also with one that comes late."""
        self.available: Found = {}
        self.protection: Found = {}
        self._runtimes = runtimes
        self._quotas = quotas
        self._tell = tell
        self._asked: dict[str, tuple[asyncio.Task[None], float]] = {}

    async def look(self, patience: float | None = PATIENCE) -> None:
        """Ask those again that are not being asked; seconds until one that doesn't answer counts as away."""
        await asyncio.gather(*(self._look(name, patience) for name in self._runtimes))

    def close(self) -> None:
        """Wait for no answer any more."""
        for task, _since in self._asked.values():
            task.cancel()

    async def _look(self, name: str, patience: float | None) -> None:
        if name not in self._asked:
            self._asked[name] = asyncio.create_task(self._ask(name)), time.monotonic()
        task, since = self._asked[name]
        await asyncio.wait([task], timeout=None if patience is None else max(0.0, since + patience - time.monotonic()))
        if not task.done():
            self._note(name, LATE.format(seconds=patience))

    async def _ask(self, name: str) -> None:
        try:
            found = await self._runtimes[name].protection()
        except DomainError as error:
            self._note(name, error.message)
        except Exception as error:
            log.warning("the runtime %s doesn't work here", name, exc_info=True)
            self._note(name, str(error))
        else:
            self._note(name, "", found)
        finally:
            del self._asked[name]

    def _note(self, name: str, problem: str, found: Protection | None = None) -> None:
        self.available = self._with(self.available, name, {"available": not problem, "reason": problem})
        self.protection = self._with(self.protection, name, _with_disk(found, self._quotas) if found else None)
        if self._tell is not None:
            self._tell(self)

    def _with(self, known: Found, name: str, about: dict[str, Any] | None) -> Found:
        changed = {**known, name: about}
        return {one: entry for one in self._runtimes if (entry := changed.get(one)) is not None}


def _with_disk(found: Protection, quotas: Quotas | None) -> dict[str, Any]:
    works = quotas is not None and not quotas.problem
    reason = {} if works or quotas is None else {"disk": f"{quotas.problem} {WITHOUT_QUOTAS}"}
    return {"active": {**found.active, "disk": works}, "reasons": {**found.reasons, **reason}}
