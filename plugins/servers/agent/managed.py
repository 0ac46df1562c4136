"""One server with everything that acts on it: power, install, console."""

from __future__ import annotations

import asyncio
from pathlib import Path

from stellar.errors import Conflict, NotFound, Unavailable

from ..calls import ConsoleChunk, PowerAction, StateResult, check_command
from ..spec import ServerSpec
from .comeback import Policy
from .console_log import ConsoleLog
from .install import Installer
from .lifecycle import Lifecycle
from .patches import apply_patches
from .record import save_spec
from .server import Server
from .streaming import Watch

GONE_WITHIN = 20.0
POLL = 0.05
TAKEN_UP_WITHIN = 5.0
"""Seconds that a call waits for a server to be taken up after the agent's start."""


class Managed:
    """What the calls about one server do."""

    def __init__(self, server: Server, policy: Policy, gate: asyncio.Semaphore) -> None:
        self.server = server
        self.lifecycle = Lifecycle(server, policy, gate)
        self.installer = Installer(server)
        self.watch = Watch(server)
        self.lost: Exception | None = None
        """Why it could not be taken up, as long as it could not."""
        self._taken_up = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether anything of it runs or is about to."""
        return self.server.run is not None or self.lifecycle.launching or self.installer.launching

    async def resume(self) -> None:
        """Take it up where the last agent left it."""
        resume = self.installer.resume if self.server.state == "installing" else self.lifecycle.resume
        try:
            await resume()
        except Exception as error:
            self.lost = error
            raise
        self.begin()

    def begin(self) -> None:
        """From now on it can be acted on: nothing of it runs that isn't known."""
        self.lost = None
        self._taken_up.set()

    @property
    def taken_up(self) -> bool:
        """Whether it is known what runs of it."""
        return self._taken_up.is_set()

    async def _until_taken_up(self) -> None:
        """Wait for that; ``Unavailable`` when it takes too long."""
        try:
            await asyncio.wait_for(self._taken_up.wait(), TAKEN_UP_WITHIN)
        except TimeoutError:
            why = f": {self.lost}" if self.lost else ""
            message = f"The node has just started and doesn't know yet what runs of this server{why}; try again."
            raise Unavailable(message, code="not_taken_up") from None

    async def update(self, spec: ServerSpec) -> None:
        """Follow the panel: from the next start on, and at once where it's about limits, install or suspension."""
        await self._until_taken_up()
        before = self.server.spec
        if spec.runtime != before.runtime and self.server.state not in {"offline", "install_failed"}:
            raise Conflict("Stop the server before its runtime is changed.")
        install = self.installer.wanted(spec) and not spec.suspended
        if install:
            self.installer.check()
        if spec != before:
            save_spec(self.server.layout, spec)
            self.server.spec = spec
        if spec.limits != before.limits and self.server.run is not None:
            await self.server.run.limit(spec.limits)
        if install:
            self.install()
        elif spec.suspended:
            await self._suspend()

    async def _suspend(self) -> None:
        """Stop it; an install may run for as long as a game, so that is ended."""
        if self.server.state == "installing":
            await self.installer.kill()
        else:
            await self.lifecycle.suspend()

    def install(self) -> None:
        """Install it as its spec says."""
        self.lifecycle.cancel_restart()
        self.installer.begin()

    async def power(self, action: PowerAction) -> None:
        """Begin a power action; ``kill`` also ends an install."""
        await self._until_taken_up()
        if action == "kill" and self.server.state == "installing":
            await self.installer.kill()
        else:
            await self.lifecycle.power(action)

    async def command(self, command: str) -> None:
        """Type a line into the game's console; ``Invalid`` for anything but a line of text."""
        check_command(command)
        await self._until_taken_up()
        if self.server.state not in {"starting", "running", "stopping"}:
            raise Conflict(f"The server is {self.server.state.replace('_', ' ')}: it takes no command; start it first.")
        await self.type(f"{command}\n".encode())

    async def type(self, data: bytes) -> None:
        """Type raw keys into the terminal of whatever runs."""
        if self.server.run is None:
            raise Conflict("Nothing runs that could take input; start the server first.")
        await self.server.run.send(data)

    async def answer(self, name: str) -> None:
        """Do what accepting a known prompt means; ``NotFound`` for one that the game doesn't have.

        ``Conflict`` where the server's state doesn't allow it, or a file can't be changed.
        """
        await self._until_taken_up()
        spec = self.server.spec
        prompt = next((one for one in spec.prompts if one.name == name and one.accept), None)
        if prompt is None:
            raise NotFound("This game has no such question that could be accepted.")
        if prompt.restart:
            self.lifecycle.check_can_restart()
        if prompt.command:
            await self.command(prompt.command)
        if prompt.patches:
            values = await self.server.environment()
            problems = await asyncio.to_thread(apply_patches, self.server.layout.data, prompt.patches, values)
            if problems:
                raise Conflict(" ".join(problems), code="not_patched")
        if prompt.restart:
            await self.lifecycle.power("restart")

    async def resize(self, cols: int, rows: int) -> None:
        """Set the terminal's size, now and for later runs."""
        self.server.terminal_size = (cols, rows)
        await self.server.fit_terminal()

    async def read(self, after: int | None, limit: int) -> ConsoleChunk:
        """A part of the console's history."""
        return await asyncio.to_thread(_read, self.server.layout.console, after, limit)

    def state(self) -> StateResult:
        """Where it stands."""
        record = self.server.record
        return StateResult(
            state=record.state,
            since=record.since,
            started_at=record.started_at,
            install=record.install,
            restart_at=record.restart_at,
        )

    async def end(self) -> None:
        """Kill whatever runs and wait until it's gone; ``Unavailable`` when that takes too long."""
        deadline = asyncio.get_running_loop().time() + GONE_WITHIN
        await self.power("kill")
        while self.busy:
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable("The server could not be ended in time; try again, or look at the node's log.")
            await asyncio.sleep(POLL)

    def close(self) -> None:
        """Let go of it; what runs goes on."""
        self.lifecycle.close()
        self.installer.close()
        self.watch.close()


def _read(directory: Path, after: int | None, limit: int) -> ConsoleChunk:
    console = ConsoleLog(directory)
    end = console.end
    wanted = max(0, end - limit) if after is None else min(after, end)
    start, data = console.read(wanted, limit)
    return ConsoleChunk(
        start=start, end=start + len(data), log_start=console.start, log_end=max(end, start + len(data)), data=data
    )
