"""All servers of this node: on disk, on the panel's list, and running."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from stellar.errors import Conflict, DomainError, Invalid, NotFound
from stellar.extend.agent import AgentContext

from ..calls import SERVER_ID
from ..spec import ServerSpec
from .beneath import Root
from .boot import this_boot
from .comeback import Policy
from .layout import Layout, server_layout
from .managed import Managed
from .meter import Meter
from .quota import Quotas
from .record import Record, load, save_record, save_spec
from .runtime import Runtime
from .server import Server
from .streaming import Watch

log = logging.getLogger(__name__)

Saved = tuple[Layout, ServerSpec, Record]

AT_ONCE = 16
"""Servers that are taken up at the same time when the agent starts."""
LOADED_WITHIN = 1.0
"""Seconds that the agent waits for all of them; what takes longer goes on behind."""
TRY_AGAIN = 5.0
"""Seconds after which one that couldn't be taken up is tried again."""
FOLLOWED_WITHIN = 1.0
"""Seconds that a new link waits for the servers to follow what the panel wants."""
STARTS_AT_ONCE = 3
"""Servers that are started by themselves at the same time, until each of them runs."""
GONE_FOR = 60.0
"""Seconds for which a server that was removed can't be made again; longer than the panel's call for that takes."""
REMOVED = "removed-"
"""How the directory of a server is named while it is being deleted."""


class ServerManager:
    """Keeps every server's spec and state on disk, and comes up with all of them while the panel is away."""

    def __init__(
        self,
        context: AgentContext,
        runtimes: dict[str, Runtime],
        policy: Policy | None = None,
        boot: str | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        """``boot``: which boot of the machine this is."""
        self.runtimes = runtimes
        self.quotas = quotas
        self.meter = Meter(self._end_full, quotas)
        self._context = context
        self._policy = policy or Policy()
        self._servers: dict[str, Managed] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._boot = boot if boot is not None else this_boot()
        self._starts = asyncio.Semaphore(STARTS_AT_ONCE)
        self._behind: set[asyncio.Task[None]] = set()
        """What goes on behind: taking up servers, deleting what is left of others, following the panel."""
        self._unknown: set[str] = set()
        self._removed: dict[str, float] = {}
        """When each server that was removed lately was removed."""
        self._directory = context.data / "servers"

    def get(self, server_id: str) -> Managed:
        """``Conflict`` for a server that this node doesn't have: the panel, which does, may just have made it."""
        try:
            return self._servers[server_id]
        except KeyError:
            message = "The server is not on its node yet; wait until its install has begun."
            raise Conflict(message, code="not_on_node") from None

    def layout(self, server_id: str) -> Layout:
        """Where a server's things are; ``Conflict`` for a server that this node doesn't have."""
        return self.get(server_id).server.layout

    def watches(self) -> Iterator[tuple[Server, Watch]]:
        """Every server with its watch."""
        return ((managed.server, managed.watch) for managed in list(self._servers.values()))

    async def load(self) -> None:
        """Know every server on disk, and take up each where the last agent left it.

        That goes on behind where it takes long; what is to be done with a server waits until it has been taken up.
        One whose files can't be read is logged and left alone.
        """
        self._directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        saved, doomed = await asyncio.to_thread(_on_disk, self._directory)
        gate = asyncio.Semaphore(AT_ONCE)
        tasks = [self._take_up(self._add(*one), gate) for one in saved]
        tasks += [_delete_quietly(directory) for directory in doomed]
        if late := await self.within(LOADED_WITHIN, tasks):
            log.warning("%d servers have not answered yet", late)

    async def apply(self, spec: ServerSpec) -> None:
        """Create the server, or update it; a new ``install_id`` installs it (``Conflict`` while it runs).

        ``NotFound`` for one that has just been removed: a job of the panel may still want what it has read before.
        """
        layout = self._layout(spec.id)
        async with self._locks[spec.id]:
            if time.monotonic() < self._removed.get(spec.id, -GONE_FOR) + GONE_FOR:
                raise NotFound("The server has just been removed from this node; wait a minute.")
            if spec.id in self._servers:
                await self._servers[spec.id].update(spec)
                return
            layout.root.mkdir(mode=0o711, parents=True, exist_ok=True)
            layout.data.mkdir(exist_ok=True)
            save_spec(layout, spec)
            record = Record()
            save_record(layout, record)
            managed = self._add(layout, spec, record)
            managed.begin()
            await self.meter.hold(managed.server)
            managed.install()

    async def remove(self, server_id: str) -> None:
        """Kill the server and delete all its files; nothing to do for one that is gone."""
        layout = self._layout(server_id)
        async with self._locks[server_id]:
            managed = self._servers.get(server_id)
            if managed is not None:
                # What could not be taken up can't be ended either, and must not be kept for ever because of that.
                if managed.lost is None:
                    await managed.end()
                managed.close()
                del self._servers[server_id]
                self.meter.forget(managed.server)
                self._show_unknown()
            self._note_removal(server_id)
            # Renamed first: an agent that dies while deleting must not come up with half a server.
            doomed = self._directory / f"{REMOVED}{uuid.uuid4().hex}"
            if layout.root.exists():
                layout.root.rename(doomed)
                await asyncio.to_thread(_delete, doomed)

    async def reconcile(self, wanted: list[dict[str, Any]]) -> None:
        """Follow everything that the panel wants here, on every connect.

        A server that the panel doesn't name is left alone and shown in the capability ``unknown_servers``: to
        lose its data over a wrong answer would be worse. Only ``remove`` deletes.
        """
        specs = [spec for spec in map(_spec, wanted) if spec is not None]
        await self.within(FOLLOWED_WITHIN, [self._apply_quietly(spec) for spec in specs])
        self._unknown = set(self._servers) - {one.get("id") for one in wanted}
        for server_id in self._unknown:
            log.warning("the panel doesn't know the server %s; it is left as it is", server_id)
        self._show_unknown()
        for managed in self._servers.values():
            managed.server.announce()
            managed.watch.wake()

    def _show_unknown(self) -> None:
        self._unknown &= self._servers.keys()
        shown = [{"id": one, "name": self._servers[one].server.spec.name} for one in sorted(self._unknown)]
        self._context.set_capability("unknown_servers", shown)

    def close(self) -> None:
        """Let go of all servers; they go on."""
        for task in self._behind:
            task.cancel()
        for managed in self._servers.values():
            managed.close()

    async def _end_full(self, server: Server) -> None:
        """Stop a server that takes too much disk."""
        await self.get(server.id).power("kill" if server.state == "installing" else "stop")

    def _note_removal(self, server_id: str) -> None:
        now = time.monotonic()
        lately = {gone: at for gone, at in self._removed.items() if at > now - GONE_FOR}
        self._removed = {**lately, server_id: now}

    def _layout(self, server_id: str) -> Layout:
        if not re.search(SERVER_ID, server_id):
            raise Invalid("A server's id is a UUID in lower case.")
        return server_layout(self._context.data, server_id)

    def _add(self, layout: Layout, spec: ServerSpec, record: Record) -> Managed:
        server = Server(self._context, self.runtimes, layout, spec, record, boot=self._boot)
        managed = Managed(server, self._policy, self._starts)
        self._servers[spec.id] = managed
        return managed

    async def _take_up(self, managed: Managed, gate: asyncio.Semaphore) -> None:
        """Try until it works: its runtime may come up after the agent does."""
        while self._servers.get(managed.server.id) is managed:
            async with gate:
                try:
                    await managed.resume()
                except Exception as error:
                    log.warning("server %s can't be taken up, trying again: %s", managed.server.id, error)
                else:
                    return
            await asyncio.sleep(TRY_AGAIN)

    async def within(self, seconds: float, work: Iterable[Awaitable[None]]) -> int:
        """Do all of it at the same time, and what isn't done in time behind; answers how much that is."""
        tasks = {asyncio.ensure_future(one) for one in work}
        if not tasks:
            return 0
        self._behind |= tasks
        for task in tasks:
            task.add_done_callback(self._behind.discard)
        _, late = await asyncio.wait(tasks, timeout=seconds)
        return len(late)

    async def _apply_quietly(self, spec: ServerSpec) -> None:
        try:
            await self.apply(spec)
        except DomainError as error:
            log.warning("server %s can't follow the panel now: %s", spec.id, error)
        except OSError:
            log.exception("server %s can't follow the panel", spec.id)


def _spec(wanted: dict[str, Any]) -> ServerSpec | None:
    try:
        return msgspec.convert(wanted, ServerSpec)
    except msgspec.ValidationError as error:
        log.warning("the panel sent a spec of %s that this agent doesn't understand: %s", wanted.get("id"), error)
        return None


def _on_disk(directory: Path) -> tuple[list[Saved], list[Path]]:
    """The servers in a directory, and what is left of those that an earlier agent didn't finish removing."""
    saved, doomed = [], []
    for found in directory.iterdir():
        if found.name.startswith(REMOVED):
            doomed.append(found)
            continue
        if found.name.startswith("."):
            # What a sandbox is tried on; one that was interrupted leaves it behind.
            continue
        try:
            saved.append(_saved(found))
        except (DomainError, OSError, msgspec.MsgspecError):
            log.exception("the server in %s can't be read", found)
    return saved, doomed


def _saved(directory: Path) -> Saved:
    layout = server_layout(directory.parent.parent, directory.name)
    spec, record = load(layout)
    if spec.id != directory.name:
        raise Invalid("The saved spec is another server's.")
    return layout, spec, record


async def _delete_quietly(directory: Path) -> None:
    try:
        await asyncio.to_thread(_delete, directory)
    except (DomainError, OSError):
        log.exception("%s can't be deleted", directory)


def _delete(directory: Path) -> None:
    with Root(directory.parent) as root:
        root.remove(directory.name)
