"""The log of what has happened: a bounded Redis stream beside the public channels, for browsers to follow.

Pub/sub forgets what nobody hears, so whatever a browser may want to know is also appended to ``names.FEED``, in the
same round trip as the message itself. An entry's id is its position: whoever knows the last one they saw goes on
after it, in any process.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from . import names

KEPT = 20_000
"""How many events the log keeps, about; older ones are a gap."""

STATUS = "server.status"
METRICS = "server.metrics"
HEARTBEAT = "node.heartbeat"

_CHANNEL = re.compile(r"stellar:(servers|nodes):([^:]+):(status|metrics|heartbeat)")
_POSITION = re.compile(r"(\d{1,20})-(\d{1,20})")
_MAX = 2**64

Position = tuple[int, int]
"""Where an entry is in the log; written ``milliseconds-number``."""

START: Position = (0, 0)


class Event(msgspec.Struct, tag_field="type", tag="event"):
    """Something that has happened: ``topic`` says what, ``subjects`` (``kind:id``) whom and what it is about.

    ``at`` is in seconds since the epoch, ``data`` what the message on the channel holds.
    """

    id: str
    topic: str
    subjects: list[str]
    at: float
    data: msgspec.Raw

    @property
    def position(self) -> Position:
        """Where it is in the log."""
        return parse_position(self.id) or START


class _Global(msgspec.Struct):
    kind: str
    id: str | None = None
    data: dict[str, Any] = {}


_decode_global = msgspec.json.Decoder(_Global).decode


def parse_position(text: str) -> Position | None:
    """A position that a client has sent; None for what can't be one."""
    found = _POSITION.fullmatch(text)
    if found is None:
        return None
    position = int(found[1]), int(found[2])
    return position if max(position) < _MAX else None


def format_position(position: Position) -> str:
    """How a position is written."""
    return f"{position[0]}-{position[1]}"


def entry(channel: str, data: bytes) -> list[bytes | str] | None:
    """The command that logs a message of ``channel``; None for those that nobody follows.

    A global event ``box.opened`` with the id 7 and the data ``{"user_id": "u"}`` is about ``box:7`` and ``user:u``.
    """
    found = _of_global(data) if channel == names.EVENTS_GLOBAL else _of_channel(channel)
    if found is None:
        return None
    topic, subjects = found
    return [
        *("XADD", names.FEED, "MAXLEN", "~", str(KEPT), "*"),
        *("topic", topic, "subjects", " ".join(subjects), "data", data),
    ]


def read_entry(entry_id: bytes, fields: dict[bytes, bytes]) -> Event:
    """An entry as it comes from Redis."""
    position = entry_id.decode()
    return Event(
        id=position,
        topic=fields[b"topic"].decode(),
        subjects=fields[b"subjects"].decode().split(),
        at=int(position.partition("-")[0]) / 1000,
        data=msgspec.Raw(fields[b"data"]),
    )


def _of_channel(channel: str) -> tuple[str, list[str]] | None:
    found = _CHANNEL.fullmatch(channel)
    if found is None:
        return None
    kind = found[1].removesuffix("s")
    topic = f"{kind}.{found[3]}"
    return (topic, [f"{kind}:{found[2]}"]) if topic in (STATUS, METRICS, HEARTBEAT) else None


def _of_global(data: bytes) -> tuple[str, list[str]] | None:
    try:
        event = _decode_global(data)
    except msgspec.MsgspecError:
        return None
    subjects = [] if event.id is None else [_subject(event.kind.partition(".")[0], event.id)]
    for name, value in event.data.items():
        if name.endswith("_id") and isinstance(value, str) and value:
            subjects.append(_subject(name.removesuffix("_id"), value))
    return event.kind.replace(" ", "_"), subjects


def _subject(kind: str, id_: str) -> str:
    return f"{kind}:{id_}".replace(" ", "_")
