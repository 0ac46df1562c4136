"""The ids of jobs that the shell completes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..commands.completion import LIMIT, Complete, asks

if TYPE_CHECKING:
    from .control import State


def _of(*states: State) -> Complete:
    def found() -> Iterator[tuple[str, str]]:
        from .control import listing

        for state in states:
            yield from ((job.id, f"{job.name}, {job.state}") for job in listing(state, size=LIMIT).jobs)

    return asks(found)


complete_failed = _of("failed")
complete_open = _of("running", "queued", "scheduled")
