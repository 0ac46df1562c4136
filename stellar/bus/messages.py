"""What travels on a node's channels: JSON, tagged by ``type``, with bytes as base64.

The process that holds a node's link forwards ``CallMessage`` to the node and publishes its answer as ``ReplyMessage``.
It needn't know the types inside: base64 text becomes bytes where a typed decoder expects bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import KINDS, DomainError


class CallMessage(msgspec.Struct, tag_field="type", tag="call"):
    """On ``stellar:nodes:{id}:commands``: do something and answer with the same ``id``; ``timeout`` in seconds."""

    id: str
    method: str
    params: Any
    timeout: float


class CallError(msgspec.Struct):
    """A ``DomainError`` on its way; ``kind`` names its class."""

    kind: str
    message: str
    code: str = ""
    fields: dict[str, str] = {}


class ReplyMessage(msgspec.Struct, tag_field="type", tag="reply", omit_defaults=True):
    """On ``stellar:nodes:{id}:events``: the result of a call, or why it failed."""

    id: str
    result: Any = None
    error: CallError | None = None


class RawReply(msgspec.Struct, tag_field="type", tag="reply"):
    """A ``ReplyMessage`` whose result isn't decoded yet: the caller knows its type."""

    id: str
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: CallError | None = None


class Header(msgspec.Struct):
    """What is read of each message on an events channel before anybody cares for the rest."""

    type: str = ""
    id: str = ""


encode = msgspec.json.Encoder().encode
decode_header = msgspec.json.Decoder(Header).decode
decode_call = msgspec.json.Decoder(CallMessage).decode
decode_reply = msgspec.json.Decoder(RawReply).decode


def to_wire(error: DomainError) -> CallError:
    """The form in which an error travels."""
    return CallError(error.kind, error.message, error.code, error.fields)


def from_wire(error: CallError) -> DomainError:
    """The error that was raised at the other end; an unknown kind becomes a plain ``DomainError``."""
    kind = KINDS.get(error.kind, DomainError)
    return kind(error.message, code=error.code or None, fields=error.fields)
