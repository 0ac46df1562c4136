"""The frames of a console socket; all are JSON with a ``type``."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from .tokens import MAX_LENGTH

MAX_INPUT = 64 * 1024
"""Bytes of one ``input``."""

MAX_FRAME = 6 * MAX_INPUT + 64
"""Bytes of an incoming frame: JSON spends up to six on one of the input."""

Size = Annotated[int, msgspec.Meta(ge=1, le=500)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class Output(msgspec.Struct, tag_field="type", tag="output"):
    """Terminal output. ``seq`` is the offset of ``data`` in bytes; the next is at ``seq`` + its length in UTF-8."""

    seq: int
    data: str


class Status(msgspec.Struct, tag_field="type", tag="status"):
    """The server's last known state, and whether its node answers.

    ``exit_code`` or ``exit_signal`` say how the game ended, where it has just ended; ``out_of_memory`` whether the
    kernel killed it for that.
    """

    state: str
    node_online: bool
    exit_code: int | None = None
    exit_signal: str | None = None
    out_of_memory: bool = False


class Stats(msgspec.Struct, tag_field="type", tag="stats"):
    """What the server uses: percent of one core, bytes, seconds."""

    state: str
    cpu_percent: float
    memory_bytes: int
    disk_bytes: int
    uptime: float
    processes: int


class Gap(msgspec.Struct, tag_field="type", tag="gap", rename={"from_": "from"}):
    """The output between these offsets can't be had any more; it goes on at ``to``.

    ``to`` is less than ``from`` where the log ends earlier than the client thinks.
    """

    from_: int
    to: int


class TokenExpiring(msgspec.Struct, tag_field="type", tag="token_expiring"):
    """The token is about to expire: send ``auth`` with a new one to keep the socket."""


class Error(msgspec.Struct, tag_field="type", tag="error"):
    """Something did not work; the socket stays open unless it is closed right after."""

    code: str
    message: str


class Input(msgspec.Struct, tag_field="type", tag="input", forbid_unknown_fields=True):
    """Keys for the terminal."""

    data: str


class Resume(msgspec.Struct, tag_field="type", tag="resume", forbid_unknown_fields=True):
    """Go on at this offset, the first that the client doesn't have."""

    after: Offset


class Auth(msgspec.Struct, tag_field="type", tag="auth", forbid_unknown_fields=True):
    """A token: the first, or a new one for the same user and server."""

    token: Annotated[str, msgspec.Meta(max_length=MAX_LENGTH)]


class Resize(msgspec.Struct, tag_field="type", tag="resize", forbid_unknown_fields=True):
    """The terminal's size."""

    cols: Size
    rows: Size


Incoming: Any = Input | Resume | Auth | Resize
