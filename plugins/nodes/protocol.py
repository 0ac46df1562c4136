"""The link between panel and agent: every frame, its fields and its version.

Frames are msgpack, one per binary WebSocket message, tagged by ``t``. A frame that doesn't parse ends the link.
"""

from __future__ import annotations

from typing import Any

import msgspec

PROTOCOL_VERSION = 1
MAX_FRAME = 1024 * 1024
"""Bytes; larger frames end the link. Bulk data travels in chunks of at most 256 KiB."""

MAX_CAPABILITIES = 256 * 1024
"""Bytes of JSON that the panel keeps of what a node says it can do."""

PORTION = 512 * 1024
"""Bytes of specs in one frame, unless a single one is larger."""

HEARTBEAT_SECONDS = 5.0
CLOSE_RENEWED = 4410
"""With this code the panel closes a link whose node has a new key: it is to link again at once."""
TOPICS = ("status", "metrics", "logs")


class Frame(msgspec.Struct, tag_field="t", forbid_unknown_fields=True):
    """Any frame."""


class Hello(Frame, tag="hello"):
    """Agent, first: who it is and what it can do, as far as it knows that yet."""

    protocol: int
    version: str
    hostname: str
    platform: str
    capabilities: dict[str, Any] = {}


class Welcome(Frame, tag="welcome", omit_defaults=True):
    """Panel, in answer to a hello: everything that is wanted on this node, the rest of it in ``Specs`` if ``more``."""

    protocol: int
    node_id: str
    name: str
    specs: list[dict[str, Any]]
    more: bool = False


class Specs(Frame, tag="specs", omit_defaults=True):
    """Panel, right after a welcome with ``more``: what else is wanted."""

    specs: list[dict[str, Any]]
    more: bool = False


class Refused(Frame, tag="refused"):
    """Panel: why the link is closed; final for this agent until somebody acts."""

    code: str
    message: str


class Heartbeat(Frame, tag="heartbeat"):
    """Agent, every ``HEARTBEAT_SECONDS``: cpu in percent of one core, memory and disk in bytes, load averages.

    ``unknown_servers``: the ``{id, name}`` of what it keeps although the panel's welcome didn't name it.
    """

    metrics: dict[str, Any]


class Capabilities(Frame, tag="capabilities"):
    """Agent, whenever it has found out more of what it can do, or something has changed."""

    capabilities: dict[str, Any]


class Call(Frame, tag="call"):
    """Panel: do something. The same ``id`` again gets the same answer, and is done once."""

    id: str
    method: str
    params: dict[str, Any]
    timeout: float
    """Seconds that the caller waits."""


class Reply(Frame, tag="reply"):
    """Agent: a call's result, or ``error`` with a ``DomainError``'s kind as ``kind``."""

    id: str
    result: Any = None
    error: ReplyError | None = None


class ReplyError(msgspec.Struct, forbid_unknown_fields=True):
    """Why a call failed."""

    kind: str
    message: str
    code: str = ""
    fields: dict[str, str] = {}


class Event(Frame, tag="event"):
    """Agent: something that may be lost, for the channel ``stellar:servers:{server_id}:{topic}``."""

    topic: str
    server_id: str
    data: dict[str, Any]


class Report(Frame, tag="report"):
    """Agent: something that must not be lost; sent again until acknowledged."""

    id: str
    kind: str
    server_id: str | None
    data: dict[str, Any]


class Ack(Frame, tag="ack"):
    """Panel: a report has been applied (or can never be), forget it."""

    id: str


FromAgent = Hello | Heartbeat | Capabilities | Reply | Event | Report
FromPanel = Welcome | Specs | Refused | Call | Ack

encode = msgspec.msgpack.Encoder().encode
decode_from_agent = msgspec.msgpack.Decoder(FromAgent).decode
decode_from_panel = msgspec.msgpack.Decoder(FromPanel).decode


def portions(specs: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Specs, in their order, as many at a time as fit into a frame; at least one portion."""
    found: list[list[dict[str, Any]]] = [[]]
    size = 0
    for spec in specs:
        size += len(encode(spec))
        if size > PORTION and found[-1]:
            found.append([])
            size = len(encode(spec))
        found[-1].append(spec)
    return found
