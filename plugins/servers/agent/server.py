"""One server on this node: what its power, its install and its console share."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import msgspec

from stellar.errors import DomainError, Unavailable
from stellar.extend.agent import AgentContext
from stellar.plugins.blueprints.render import environment

from ..calls import ServerState
from ..spec import Port, ServerSpec
from .console_log import ConsoleLog
from .layout import Layout
from .record import Record, save_record
from .runtime import Exit, OnOutput, Run, Runtime

log = logging.getLogger(__name__)

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 inside its own network


class Server:
    """What is wanted (``spec``), what is known (``record``) and what runs now (``run``)."""

    def __init__(
        self,
        context: AgentContext,
        runtimes: dict[str, Runtime],
        layout: Layout,
        spec: ServerSpec,
        record: Record,
        *,
        boot: str = "",
    ) -> None:
        """``boot``: which boot of the machine this is."""
        self.context = context
        self.layout = layout
        self.spec = spec
        self.record = record
        self.run: Run | None = None
        self.terminal_size: tuple[int, int] | None = None
        self.on_output: list[OnOutput] = []
        """Told the log's new end, in order."""
        self.rebooted = record.boot not in ("", boot)
        """Whether the record is of an earlier boot of the machine."""
        self._boot = boot
        self._changed = asyncio.Event()
        self.console = ConsoleLog(layout.console)
        self._runtimes = runtimes

    @property
    def id(self) -> str:
        """The server's id."""
        return self.spec.id

    @property
    def state(self) -> ServerState:
        """Where it stands."""
        return self.record.state

    @property
    def runtime(self) -> Runtime:
        """What runs it; ``Unavailable`` on a node without that runtime."""
        try:
            return self._runtimes[self.spec.runtime]
        except KeyError:
            message = f"This node has no runtime “{self.spec.runtime}”; move the server to a node that has it."
            raise Unavailable(message, code="no_runtime") from None

    @property
    def ports_inside(self) -> list[Port]:
        """Its ports as the game sees them: behind a bridge it can't listen on the node's own addresses."""
        if not self.runtime.bridged:
            return self.spec.ports
        return [msgspec.structs.replace(port, ip=EVERY_ADDRESS) for port in self.spec.ports]

    async def environment(self) -> dict[str, str]:
        """The variables of its game and its install; see ``render.environment``."""
        spec = self.spec
        return environment(
            spec.variables,
            self.ports_inside,
            spec.limits,
            spec.id,
            await self.runtime.node_address(spec.id),
            location=spec.location,
            allocation_limit=spec.allocation_limit,
        )

    async def fit_terminal(self) -> None:
        """Give what runs, if anything, the terminal size that was last asked for."""
        if self.run is None or self.terminal_size is None:
            return
        try:
            await self.run.resize(*self.terminal_size)
        except DomainError as error:
            log.debug("server %s: its terminal can't be resized: %s", self.id, error)

    def output(self, end: int) -> None:
        """The runtime has written output up to ``end``."""
        for listener in self.on_output:
            listener(end)

    def save(self) -> None:
        """Keep the record on disk; on a full one the server goes on without."""
        self.record.boot = self._boot
        try:
            save_record(self.layout, self.record)
        except OSError as error:
            log.error("server %s: its state can't be kept on disk: %s", self.id, error)

    def change(self, state: ServerState, ended: Exit | None = None) -> None:
        """Enter ``state``, keep it, and tell the panel."""
        previous = self.record.state
        self.record.state = state
        self.record.since = time.time()
        self.save()
        log.info("server %s: %s → %s", self.id, previous, state)
        self.context.report("server.state", self.id, {"state": state, "at": self.record.since})
        self.emit_status(previous, ended)
        self._changed.set()
        self._changed = asyncio.Event()

    async def leaves(self, state: ServerState) -> None:
        """Wait until the state is another one."""
        while self.state == state:
            await self._changed.wait()

    def announce(self) -> None:
        """Tell the panel the state again, in case that it believes something else."""
        self.context.report("server.state", self.id, {"state": self.state, "at": self.record.since})
        self.emit_status(self.state)

    def emit_status(self, previous: ServerState, ended: Exit | None = None) -> None:
        """Send the topic ``status``."""
        data: dict[str, Any] = {"state": self.state, "previous": previous, "at": self.record.since}
        if ended is not None:
            data["exit"] = {"code": ended.code, "signal": ended.signal, "oom": ended.oom}
        self.context.emit("status", self.id, data)

    def tail(self, since: int, limit: int) -> str:
        """At most the last ``limit`` bytes of output after the offset ``since``, as text."""
        _, data = self.console.read(max(since, self.console.end - limit), limit)
        return data.decode(errors="replace")

    def last_lines(self, since: int, lines: int, limit: int) -> str:
        """At most the last ``lines`` lines of output after ``since``, and no more than ``limit`` bytes."""
        return "\n".join(self.tail(since, limit).rstrip("\r\n").split("\n")[-lines:])
