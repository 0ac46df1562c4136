"""One attached container."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal as signals
import time
from datetime import datetime
from typing import Any

from aiodocker.stream import Stream

from stellar.errors import Conflict, Invalid, Unavailable

from ...spec import Limits
from .. import sandbox
from ..console_log import ConsoleLog
from ..layout import Layout
from ..runtime import Exit, OnExit, OnOutput, Stats
from . import container, podman
from . import signals as inside
from .client import BROKEN, Client, hang_up, is_away, is_missing, reason
from .fitting import Fitting
from .history import MARK_BYTES, History
from .output import Budget, Console, Saved
from .usage import Usage

log = logging.getLogger(__name__)

SEND_SECONDS = 5.0
KILL_SECONDS = 15.0
END_SECONDS = 5.0
"""Docker may still call a container running for a moment after its output has ended."""
RETRY_SECONDS = (0.1, 0.5, 1.0, 2.0)
MARK_SECONDS = 5.0
REDRAW_SECONDS = 0.25


class ContainerRun:
    """A run in a container; goes on when the agent, and in part when Docker itself, ends.

    ``stream`` is the live connection that was made before the start; None takes up what an earlier agent has started.
    """

    def __init__(
        self,
        client: Client,
        layout: Layout,
        saved: Saved,
        on_output: OnOutput,
        on_exit: OnExit,
        *,
        stream: Stream | None = None,
    ) -> None:
        self.server_id, self.kind = saved.server_id, saved.kind
        self.started_at, self.log_start = saved.started_at, saved.log_start
        self._client, self._layout, self._saved = client, layout, saved
        self._on_exit = on_exit
        self._console = Console(layout, on_output)
        log_read = ConsoleLog(layout.console)
        self._history = History(client, saved.container, self._console, log_read, saved.log_start)
        self._stream, self._live_at = stream, saved.log_start
        self._input: Stream | None = stream
        self._typing = asyncio.Lock()
        self._ended = asyncio.Event()
        self._kill = False
        self._size = (100, 30)
        self._usage = Usage()
        self._task: asyncio.Task[None] | None = None

    def follow(self) -> None:
        """Begin to call back; the first call comes after the caller has gone on."""
        self._task = asyncio.create_task(self._follow(), name=f"container {self.server_id}")

    async def send(self, data: bytes) -> None:
        """Type into the terminal; ``Conflict`` when it has ended, ``Unavailable`` when it can't be reached."""
        async with self._typing:
            self._check_running()
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    if self._input is None or self._input._closed:
                        self._input = await self._client.attach(self._saved.container, output=False)
                    await self._input.write_in(data)
            except TimeoutError:
                message = "The server doesn't read its input; try again later, or kill it."
                raise Unavailable(message, code="input_full") from None
            except (*BROKEN, RuntimeError, AssertionError) as error:
                self._input = None
                self._check_running()
                raise Unavailable(f"The server's terminal can't be reached now: {reason(error)}.") from error

    async def signal(self, name: str) -> None:
        """Signal the game itself; where nothing can be run in the container, its first process gets it."""
        number = inside.number_of(name)
        self._check_running()
        try:
            await self._client.execute(self._saved.container, inside.command(number))
        except BROKEN as error:
            log.info("server %s is signalled through its first process: %s", self.server_id, reason(error))
            with contextlib.suppress(Conflict):  # it has ended, of the signal
                await self._ask("kill", {"signal": name})

    async def resize(self, cols: int, rows: int) -> None:
        """Set the terminal's size; the same size again makes a full-screen program redraw."""
        if not (2 <= cols <= 1000 and 2 <= rows <= 1000):
            raise Invalid("A terminal has 2 to 1000 columns and rows.")
        self._check_running()
        if (cols, rows) == self._size:
            await self._ask("resize", {"h": rows - 1, "w": cols})
            await asyncio.sleep(REDRAW_SECONDS)
        self._size = (cols, rows)
        await self._ask("resize", {"h": rows, "w": cols})

    async def kill(self) -> None:
        """End every process of it; ``Unavailable`` while Docker is away: it is killed as soon as that is back."""
        if self._ended.is_set():
            return
        self._kill = True
        with contextlib.suppress(*BROKEN):
            await self._client.json(f"containers/{self._saved.container}/kill", "POST")
        try:
            await asyncio.wait_for(self._ended.wait(), KILL_SECONDS)
        except TimeoutError:
            message = "Docker doesn't end the server now; it is killed as soon as Docker answers."
            raise Unavailable(message, code="no_docker") from None

    async def limit(self, limits: Limits) -> None:
        """Hold it to other limits; less memory than is in use would end the game, so that waits for a restart."""
        if self._ended.is_set():
            return
        wanted = container.changed_resources(limits)
        used = (await self.stats()).memory_bytes
        if 0 < wanted["Memory"] <= used:
            wanted = {key: value for key, value in wanted.items() if not key.startswith("Memory")}
        try:
            if await self._client.is_podman():
                await podman.update(self._client, self._saved.container, wanted)
            else:
                await self._client.json(f"containers/{self._saved.container}/update", "POST", data=wanted)
        except BROKEN as error:
            log.warning("server %s: its new limits count from its next start on: %s", self.server_id, reason(error))

    async def stats(self) -> Stats:
        """What it uses now; CPU since the last call."""
        if self._ended.is_set():
            return Stats(cpu_percent=0.0, memory_bytes=0, processes=0, uptime=0.0)
        params = {"stream": 0, "one-shot": 1}
        try:
            found = await self._client.json(f"containers/{self._saved.container}/stats", params=params)
        except BROKEN as error:
            raise Unavailable(f"Docker doesn't say what the server uses: {reason(error)}.") from error
        return self._usage.read(found or {}, max(time.time() - self.started_at, 0.0))

    async def pids(self) -> list[int]:
        """Its processes, by the numbers that the host has for them; ``ps`` is the host's."""
        if self._ended.is_set():
            return []
        try:
            wanted = podman.HOST_PID if await self._client.is_podman() else "-eo pid"
            found = await self._client.json(f"containers/{self._saved.container}/top", params={"ps_args": wanted})
        except BROKEN as error:
            raise Unavailable(f"Docker doesn't say what the server runs: {reason(error)}.") from error
        return [int(row[0]) for row in (found or {}).get("Processes") or []]

    def _check_running(self) -> None:
        if self._ended.is_set():
            raise Conflict("The server isn't running.", code="not_running")

    async def _ask(self, verb: str, params: dict[str, Any]) -> None:
        try:
            await self._client.json(f"containers/{self._saved.container}/{verb}", "POST", params=params)
        except BROKEN as error:
            if not is_away(error):
                raise Conflict("The server isn't running.", code="not_running") from error
            raise Unavailable(f"Docker doesn't answer: {reason(error)}.", code="no_docker") from error

    # Following

    async def _follow(self) -> None:
        if self._saved.ended is None:
            marks = asyncio.create_task(self._renew_marks())
            try:
                self._saved.ended = await self._until_end()
            finally:
                marks.cancel()
                await self._drop()
            self._saved.save(self._layout)
        if self._saved.owner is not None:
            await asyncio.to_thread(self._give_data, self._saved.owner)
        with contextlib.suppress(*BROKEN):
            await self._client.remove(self._saved.container)
            if self._saved.network:
                await self._client.remove_network(self._saved.network)
        self._console.close()
        self._ended.set()
        self._on_exit(self._saved.ended)
        self._saved.forget(self._layout)

    async def _until_end(self) -> Exit:
        """Copy all output, through every loss of the connection, and say how the run has ended."""
        tries = 0
        while True:
            try:
                if self._stream is not None:
                    await self._copy(self._stream)
                else:
                    await self._take_up()
                state = await self._state_at_end()
                if state is not None:
                    if await self._history.reaches(self._saved.mark):
                        await self._history.rest(self._saved.mark)  # what the live connection may have lost
                    return _exit(state)
                tries = 0
            except BROKEN as error:
                if is_missing(error):
                    return Exit(code=None, signal=None, oom=False, at=time.time())
                tries += 1
                log.log(
                    logging.WARNING if tries == 1 else logging.DEBUG,
                    "server %s: the connection to its container is lost: %s",
                    self.server_id,
                    reason(error),
                )
            await self._drop()
            await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])

    async def _copy(self, stream: Stream) -> None:
        """The live connection, to its end."""
        budget = Budget()
        while (message := await stream.read_out()) is not None:
            self._console.put(self._live_at, message.data)
            self._live_at += len(message.data)
            await budget.spend(len(message.data))

    async def _state_at_end(self) -> dict[str, Any] | None:
        """The container's state once it has ended; None while it still runs."""
        deadline = time.monotonic() + END_SECONDS
        while True:
            state: dict[str, Any] = (await self._client.inspect(self._saved.container))["State"]
            if not state.get("Running") and state.get("Status") not in ("restarting", "removing"):
                return state
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(0.05)

    async def _take_up(self) -> None:
        """Go on where the console log ends: from Docker's log, until the live connection has been fitted to it."""
        name = self._saved.container
        state = (await self._client.inspect(name))["State"]
        if state.get("Status") == "created":
            await self._client.remove(name)  # an earlier agent was killed before it could start it
        elif self._kill and state.get("Running"):
            await self._client.json(f"containers/{name}/kill", "POST")
        mark = await self._history.regain(self._saved.mark)
        self._saved.mark = mark
        self._saved.save(self._layout)
        fitted = await Fitting(self._history, self._console, mark, self._connect).run()
        if fitted is None:
            return
        self._stream, self._live_at = fitted
        await self._copy(self._stream)

    async def _connect(self) -> Stream:
        self._input = await self._client.attach(self._saved.container)
        return self._input

    async def _renew_marks(self) -> None:
        while True:
            await asyncio.sleep(MARK_SECONDS)
            if self._console.end - self._saved.mark.offset < MARK_BYTES:
                continue
            with contextlib.suppress(*BROKEN):
                found = await self._history.newer()
                if found is not None:
                    self._saved.mark = found
                    self._saved.save(self._layout)

    async def _drop(self) -> None:
        stream, input_, self._stream, self._input = self._stream, self._input, None, None
        await hang_up(stream, input_)

    def _give_data(self, owner: int) -> None:
        try:
            sandbox.give(self._layout.data, owner)
        except OSError as error:
            log.warning("server %s: its files can't be given to its user: %s", self.server_id, error)


def _exit(state: dict[str, Any]) -> Exit:
    """How it ended; a shell and an init tell of a signal as 128 and its number."""
    if state.get("Status") == "created":
        return Exit(code=None, signal=None, oom=False, at=time.time())
    code: int | None = int(state.get("ExitCode", 0))
    name = None
    if code is not None and 128 < code <= 128 + 31:
        number, code = code - 128, None
        name = signals.Signals(number).name if number in set(signals.Signals) else None
    return Exit(code=code, signal=name, oom=bool(state.get("OOMKilled")) and code != 0, at=_moment(state))


def _moment(state: dict[str, Any]) -> float:
    try:
        at = datetime.fromisoformat(str(state.get("FinishedAt"))[:19] + "+00:00").timestamp()
    except ValueError:
        return time.time()
    return at if at > 0 else time.time()
