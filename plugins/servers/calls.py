"""What the panel asks of a node about servers: every call's parameters and result, shared by both sides.

Sizes are bounded and unknown fields refused. Times are seconds since the epoch, sizes bytes, percents of one core.
"""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from stellar.errors import Invalid

from .spec import ServerSpec

MAX_COMMAND = 4096
MAX_INPUT = 64 * 1024
MAX_READ = 256 * 1024
MAX_LEASE = 300.0

SERVER_ID = r"\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z"
COMMAND_NAME = r"\A[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}\Z"

ServerId = Annotated[str, msgspec.Meta(pattern=SERVER_ID)]
CommandName = Annotated[str, msgspec.Meta(pattern=COMMAND_NAME)]
Size = Annotated[int, msgspec.Meta(ge=2, le=1000)]

PowerAction = Literal["start", "stop", "restart", "kill"]
STARTING: tuple[PowerAction, ...] = ("start", "restart")
"""The actions before which a node has to know what is wanted."""
ServerState = Literal["installing", "install_failed", "offline", "starting", "running", "stopping"]
DiskLevel = Literal["ok", "over", "stopped"]


def check_command(command: str) -> None:
    """``Invalid`` unless ``command`` is one line of at most ``MAX_COMMAND`` bytes without control characters."""
    if len(command.encode("utf-8", "surrogatepass")) > MAX_COMMAND:
        raise _bad_command(f"The command is longer than {MAX_COMMAND} bytes; send a shorter one.")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in command.replace("\t", "")):
        raise _bad_command("The command holds control characters; send one line of plain text.")


def _bad_command(message: str) -> Invalid:
    return Invalid(message, code="bad_command", fields={"command": message})


class Params(msgspec.Struct, forbid_unknown_fields=True):
    """A call's parameters."""


class Result(msgspec.Struct, forbid_unknown_fields=True):
    """A call's result; an empty one just says that it's done."""


class Apply(Params):
    """``servers.apply``: create or update a server, and install it when ``spec.install_id`` is new; ``Result``."""

    spec: ServerSpec


class Remove(Params):
    """``servers.remove``: kill the server and delete its files; ``Result``, also when it is gone already."""

    server_id: ServerId


class Power(Params):
    """``servers.power``; ``PowerResult``. ``Conflict`` while another action is under way, but never for ``kill``."""

    server_id: ServerId
    action: PowerAction


class PowerResult(Result):
    """The state right after the action has begun."""

    state: ServerState


class Command(Params):
    """``servers.command``: type a line into the game's console; ``Result``. ``Conflict`` when it isn't running.

    ``Invalid`` for a ``command`` that ``check_command`` refuses.
    """

    server_id: ServerId
    command: str


class Answer(Params):
    """``servers.answer``: accept a known prompt of the game; ``PowerResult``.

    ``NotFound`` for one that the game doesn't have, ``Conflict`` where its state or its files don't allow it.
    """

    server_id: ServerId
    prompt: Annotated[str, msgspec.Meta(max_length=64)]


class StateQuery(Params):
    """``servers.state``; ``StateResult``."""

    server_id: ServerId


class InstallState(Result):
    """The latest install: ``ok`` and ``finished_at`` are None while it runs; ``exit_code`` is None without an exit."""

    id: str
    ok: bool | None
    exit_code: int | None
    started_at: float
    finished_at: float | None


class StateResult(Result):
    """``since``: when the state was entered; ``started_at``: of the game, None when it doesn't run."""

    state: ServerState
    since: float
    started_at: float | None
    install: InstallState | None
    restart_at: float | None = None
    """When the server is started again after a crash, None when it isn't going to be."""


class StatsQuery(Params):
    """``servers.stats``; ``Metrics``."""

    server_id: ServerId


class Metrics(Result):
    """What a server uses now: also the data of the topic ``metrics``. ``uptime`` in seconds, all 0 when offline.

    Sums of bytes are since its start, rates bytes per second since the measurement before. None can't be known, or
    not yet; ``unknown`` says why, under ``network``, ``io`` or ``players`` (the topic leaves it out).
    """

    state: ServerState
    cpu_percent: float
    memory_bytes: int
    disk_bytes: int
    uptime: float
    processes: int
    network_rx_bytes: int | None = None
    network_tx_bytes: int | None = None
    network_rx_rate: float | None = None
    network_tx_rate: float | None = None
    io_read_bytes: int | None = None
    io_write_bytes: int | None = None
    io_read_rate: float | None = None
    io_write_rate: float | None = None
    players: int | None = None
    players_max: int | None = None
    unknown: dict[str, str] = {}


Span = Literal["hour", "day", "week", "month"]
SPANS: dict[Span, int] = {"hour": 3600, "day": 86_400, "week": 7 * 86_400, "month": 30 * 86_400}
"""Seconds."""
MAX_POINTS = 1000
Points = Annotated[int, msgspec.Meta(ge=10, le=MAX_POINTS)]


class HistoryQuery(Params):
    """``servers.history``: the past ``span``, in at most ``points`` steps; ``History``."""

    server_id: ServerId
    span: Span
    points: Points = 360


class History(Result):
    """The past of a server's figures: value ``n`` of a series is for the ``step`` seconds from ``start + n * step`` on.

    Values are means, of players the most; None where the server didn't run or the figure isn't known. Rates are
    bytes per second.
    """

    start: float
    step: int
    cpu_percent: list[float | None]
    memory_bytes: list[float | None]
    disk_bytes: list[float | None]
    network_rx_rate: list[float | None]
    network_tx_rate: list[float | None]
    io_read_rate: list[float | None]
    io_write_rate: list[float | None]
    players: list[float | None]

    __example__: ClassVar[dict[str, Any]] = {"start": 1767225600, "step": 10, "players": [3, None]}


class Probe(Params):
    """``servers.probe``: which of these commands the host has, and what the node can do; ``ProbeResult``."""

    commands: Annotated[list[CommandName], msgspec.Meta(max_length=256)] = []


class ProbeResult(Result):
    """``found`` maps each command to its path or None.

    ``runtimes`` maps a runtime's name to ``{available, reason}``; ``protection`` to ``{active, reasons}``.
    """

    found: dict[str, str | None]
    runtimes: dict[str, dict[str, Any]]
    protection: dict[str, dict[str, Any]]


class ConsoleRead(Params):
    """``console.read``: output from offset ``after`` on, or the last ``limit`` bytes; ``ConsoleChunk``."""

    server_id: ServerId
    after: Annotated[int, msgspec.Meta(ge=0)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_READ)] = MAX_READ


class ConsoleChunk(Result):
    """Bytes ``start`` to ``end`` of the output; the node still has ``log_start`` to ``log_end``.

    ``start`` is greater than what was asked for when older output has been rotated away.
    """

    start: int
    end: int
    log_start: int
    log_end: int
    data: bytes


class ConsoleWatch(Params):
    """``console.watch``: send the topics ``logs`` and ``metrics`` for ``seconds`` from now on; ``WatchResult``."""

    server_id: ServerId
    seconds: Annotated[float, msgspec.Meta(gt=0, le=MAX_LEASE)]


class WatchResult(Result):
    """Everything from the offset ``end`` on will be sent; what is before it can be read from the log."""

    end: int


class ConsoleInput(Params):
    """``console.input``: raw keys for the terminal; ``Result``. ``Conflict`` when nothing runs."""

    server_id: ServerId
    data: Annotated[bytes, msgspec.Meta(max_length=MAX_INPUT)]


class ConsoleResize(Params):
    """``console.resize``: the terminal's size, also for later runs; ``Result``."""

    server_id: ServerId
    cols: Size
    rows: Size
