"""The panel's parts, for the time of one command."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import SetupError, Unavailable

if TYPE_CHECKING:
    from ..panel import Panel

T = TypeVar("T")


@contextmanager
def opened(data: Path | None, *, migrate: bool = False) -> Iterator[Panel]:
    """The services of the installation in ``data``, beside a running panel or without one.

    ``SetupError`` when there is none yet or its database isn't up to date; with ``migrate`` it is brought up to date.
    """
    from ..config import load_config, prepare_data
    from ..db.migrate import pending
    from ..panel import boot

    config = load_config(data)
    if not migrate and config.database_url.startswith("sqlite:") and not config.data.is_dir():
        raise SetupError(
            f"There is no panel in {config.data}: start it with `stellar run`, or choose another directory with --data."
        )
    prepare_data(config)
    panel = boot("cli", config=config)
    panel.open()
    if migrate:
        panel.migrate()
    elif pending(panel.migrations()):
        panel.stop()
        raise SetupError("The database is not up to date; run `stellar migrate` first.")
    panel.start()
    try:
        yield panel
    finally:
        panel.stop()


def require_redis() -> None:
    """``Unavailable`` when Redis is away, before anything is changed that it has to know of."""
    from ..bus import connections, sync

    try:
        sync.client().ping()
    except connections.Gone:
        raise Unavailable(
            "Redis does not answer, and this has to reach the running panel: start it with `stellar run`, "
            "then try again.",
            code="redis_unavailable",
        ) from None


def on_bus(panel: Panel, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do what needs the bus, in an event loop of its own."""
    import asyncio

    async def run() -> T:
        await panel.open_bus()
        try:
            return await work()
        finally:
            await panel.close_bus()

    return asyncio.run(run())
