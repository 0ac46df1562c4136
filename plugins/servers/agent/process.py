"""The ``process`` runtime: every run has a keeper (keeper.py), and this is the agent's side of it."""

from __future__ import annotations

import asyncio
import contextlib
import signal as signals
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import msgspec

from stellar.errors import Conflict, Invalid, Unavailable

from ..spec import Limits
from . import cgroups, proctree, sandbox
from .console_log import ConsoleLog
from .launched import (
    Launched,
    boot_id,
    connect,
    end_keeper,
    is_alive,
    last_words,
    make_directories,
    start_keeper,
    sweep,
)
from .layout import Layout
from .protections import describe
from .runtime import Exit, Launch, OnExit, OnOutput, Protection, Stats

CHUNK = 32 * 1024
SEND_SECONDS = 5.0
HELLO_SECONDS = 20.0
KILL_SECONDS = 15.0
SHARED_NETWORK = {
    "network": "Servers that run as processes share the machine's network: nobody can tell the traffic of one."
}
HIDDEN_IO = {"io": "The kernel doesn't tell the agent what this server's processes read and write."}


class Ending(msgspec.Struct):
    """The keeper's exit.json."""

    code: int | None
    signal: int | None
    oom: bool
    at: float


class ProcessRuntime:
    """Runs servers as processes of this host.

    ``place`` is where their directories will be, for finding out what works there; ``sandboxed=False`` leaves
    bubblewrap out.
    """

    name = "process"
    bridged = False

    def __init__(self, place: Path | None = None, *, sandboxed: bool = True) -> None:
        self._place = place or Path(tempfile.gettempdir())
        self._allowed = sandboxed
        self._abilities: dict[Path, sandbox.Abilities] = {}
        self._groups: cgroups.Found | None = None
        self._finding = asyncio.Lock()
        self._prepared: set[Path] = set()

    async def protection(self) -> Protection:
        """What is enforced on this host, found out by trying (once)."""
        abilities, groups = await self._find(self._place)
        return await asyncio.to_thread(describe, abilities, groups)

    async def prepare(self, launch: Launch, on_output: OnOutput) -> None:
        """Make the server's directories, and give the data to the server's user."""
        abilities, _groups = await self._find(launch.root.parent)
        await asyncio.to_thread(make_directories, launch, abilities)
        self._prepared.add(launch.root)

    async def start(self, launch: Launch, on_output: OnOutput, on_exit: OnExit) -> KeptRun:
        """Start a keeper and attach to it; ``Conflict`` where one lives already."""
        layout = Layout(launch.root)
        if is_alive(layout.run):
            raise Conflict("The server still runs; stop or kill it first.", code="already_running")
        if launch.root not in self._prepared:
            await self.prepare(launch, on_output)
        self._prepared.discard(launch.root)
        abilities, groups = await self._find(launch.root.parent)
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                launched = await asyncio.to_thread(start_keeper, launch, abilities, groups, theirs)
            except (OSError, subprocess.SubprocessError) as error:
                ours.close()
                raise Unavailable(f"The server's process can't be started: {error}.") from error
        run = KeptRun(layout, launched, on_output, on_exit)
        await run.connect(ours)
        if run.keeper == 0:
            await asyncio.to_thread(sweep, launched)
            (layout.run / "launch").unlink(missing_ok=True)
            raise Unavailable(f"The server's keeper didn't start: {last_words(layout.run)}.")
        run.follow()
        return run

    async def attach(self, root: Path, on_output: OnOutput, on_exit: OnExit) -> KeptRun | None:
        """Take up a run of an earlier agent; its exit has neither code nor signal if the machine went down."""
        layout = Layout(root)
        try:
            launched = Launched.read(layout.run / "launch")
        except (OSError, KeyError, ValueError):
            return None
        run = KeptRun(layout, launched, on_output, on_exit)
        with contextlib.suppress(OSError):
            await run.connect(connect(layout.run, launched.key))
        run.follow()
        return run

    async def node_address(self, server_id: str) -> str:
        """It shares the node's own network."""
        return "127.0.0.1"

    async def close(self) -> None:
        """Nothing to let go of: keepers go on."""

    async def _find(self, place: Path) -> tuple[sandbox.Abilities, cgroups.Found]:
        async with self._finding:
            if self._groups is None:
                finding = asyncio.create_task(asyncio.to_thread(cgroups.find, place))
                self._abilities[place] = await asyncio.to_thread(sandbox.examine, place, allowed=self._allowed)
                self._groups = await finding
            if place not in self._abilities:
                self._abilities[place] = await asyncio.to_thread(sandbox.examine, place, allowed=self._allowed)
            return self._abilities[place], self._groups


class KeptRun:
    """One run with its keeper, which is process ``keeper`` (0: not reached)."""

    def __init__(self, layout: Layout, launched: Launched, on_output: OnOutput, on_exit: OnExit) -> None:
        self.server_id, self.kind = launched.server_id, launched.kind
        self.started_at, self.log_start = launched.started_at, launched.log_start
        self.keeper = 0
        self._layout, self._launched = layout, launched
        self._on_output, self._on_exit = on_output, on_exit
        self._log = ConsoleLog(layout.console)
        self._told = -1
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._typing = asyncio.Lock()
        self._answer: asyncio.Future[bool] | None = None
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._usage = proctree.Usage(launched.started_at)

    async def connect(self, sock: socket.socket) -> None:
        """Talk to the keeper over a connected socket; ``keeper`` stays 0 when it is gone."""
        sock.setblocking(False)
        self._reader, self._writer = await asyncio.open_unix_connection(sock=sock)
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                kind, value = await self._frame()
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            self._drop()
            return
        self.keeper = value if kind == b"p" else 0

    def follow(self) -> None:
        """Begin to call back; the first call comes after the caller has gone on."""
        self._task = asyncio.create_task(self._follow(), name=f"run {self.server_id}")

    async def send(self, data: bytes) -> None:
        """Type into the terminal; ``Conflict`` when it has ended, ``Unavailable`` when it doesn't read."""
        async with self._typing:
            for start in range(0, len(data), CHUNK):
                await self._type(data[start : start + CHUNK])

    async def signal(self, name: str) -> None:
        """Signal the game itself (``SIGINT``, …)."""
        try:
            number = signals.Signals[name]
        except KeyError:
            raise Invalid(f"There is no signal {name!r}; use one such as SIGINT.") from None
        self._put(b"s", str(int(number)).encode())

    async def resize(self, cols: int, rows: int) -> None:
        """Set the terminal's size; the same size again makes a full-screen program redraw."""
        if not (2 <= cols <= 1000 and 2 <= rows <= 1000):
            raise Invalid("A terminal has 2 to 1000 columns and rows.")
        self._put(b"r", cols.to_bytes(2, "big") + rows.to_bytes(2, "big"))

    async def kill(self) -> None:
        """End every process of it, now; returns when nothing is left and ``on_exit`` has been called."""
        with contextlib.suppress(Conflict):
            self._put(b"k", b"")
        try:
            await asyncio.wait_for(self._ended.wait(), KILL_SECONDS)
        except TimeoutError:
            end_keeper(self._layout.run)
            await self._ended.wait()

    async def limit(self, limits: Limits) -> None:
        """See ``Run``: by its control groups, where it has some; the watchdog's limit stays until the next start."""
        await asyncio.to_thread(cgroups.change, self._launched.cgroups, limits)

    async def stats(self) -> Stats:
        """What it uses now; CPU since the last call."""
        if self._ended.is_set() or not self.keeper:
            return Stats(cpu_percent=0.0, memory_bytes=0, processes=0, uptime=0.0)
        percent, memory, count = self._usage.measure(self.keeper)
        counted = cgroups.memory_used(self._launched.cgroups)
        read, written = self._usage.io(self.keeper) or (None, None)
        return Stats(
            percent,
            memory if counted is None else counted,
            count,
            uptime=max(time.time() - self.started_at, 0.0),
            io_read_bytes=read,
            io_write_bytes=written,
            unknown=SHARED_NETWORK if read is not None else {**SHARED_NETWORK, **HIDDEN_IO},
        )

    async def pids(self) -> list[int]:
        """Its processes, without the keeper."""
        return proctree.below(self.keeper) if self.keeper else []

    async def _type(self, data: bytes) -> None:
        deadline = time.monotonic() + SEND_SECONDS
        while True:
            self._answer = asyncio.get_running_loop().create_future()
            self._put(b"i", data)
            try:
                taken = await asyncio.wait_for(self._answer, SEND_SECONDS)
            except TimeoutError:
                taken = False
            if taken:
                return
            if time.monotonic() > deadline:
                raise Unavailable("The server doesn't read its input; try again later, or kill it.", code="input_full")
            await asyncio.sleep(0.05)

    def _put(self, kind: bytes, payload: bytes) -> None:
        if self._writer is None or self._ended.is_set():
            raise Conflict("The server isn't running.", code="not_running")
        self._writer.write(kind + len(payload).to_bytes(4, "big") + payload)

    async def _frame(self) -> tuple[bytes, int]:
        if self._reader is None:
            raise ConnectionResetError
        frame = await self._reader.readexactly(9)
        return frame[:1], int.from_bytes(frame[1:], "big")

    async def _follow(self) -> None:
        while True:
            try:
                await self._listen()
            except (asyncio.IncompleteReadError, OSError):
                self._drop()
            if not await self._reconnect():
                break
        await asyncio.to_thread(sweep, self._launched)
        self._tell(self._log.end)
        ending = self._ending()
        self._ended.set()
        self._on_exit(ending)
        for name in ("launch", "env", "npmrc"):
            (self._layout.run / name).unlink(missing_ok=True)

    async def _listen(self) -> None:
        while True:
            kind, value = await self._frame()
            if kind == b"o":
                self._tell(value)
            elif kind in (b"y", b"n"):
                self._settle(kind == b"y")

    async def _reconnect(self) -> bool:
        """Whether the keeper still lives and is connected again; waits while it lives and doesn't answer."""
        while is_alive(self._layout.run):
            with contextlib.suppress(OSError):
                await self.connect(connect(self._layout.run, self._launched.key))
                if self._writer is not None:
                    return True
            await asyncio.sleep(0.05)
        return False

    def _tell(self, end: int) -> None:
        if end != self._told:
            self._told = end
            self._on_output(end)

    def _settle(self, taken: bool) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(taken)

    def _drop(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Conflict("The server has ended.", code="not_running"))

    def _ending(self) -> Exit:
        try:
            ending = msgspec.json.decode((self._layout.run / "exit.json").read_bytes(), type=Ending)
        except (OSError, msgspec.MsgspecError):
            lost = None if self._launched.boot != boot_id() else "SIGKILL"
            return Exit(code=None, signal=lost, oom=False, at=time.time())
        number, code = ending.signal, ending.code
        if self._launched.sandboxed and code is not None and 128 < code <= 128 + 31:
            number, code = code - 128, None  # bubblewrap tells of a signal as shells do
        name = signals.Signals(number).name if number in set(signals.Signals) else None
        return Exit(code=code, signal=name if number is not None else None, oom=ending.oom, at=ending.at)
