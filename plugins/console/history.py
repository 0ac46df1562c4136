"""Reading a server's log through its node."""

from __future__ import annotations

from stellar.bus.bus import current
from stellar.plugins.servers.calls import MAX_READ, ConsoleChunk, ConsoleRead
from stellar.plugins.servers.models import Server

from .schemas import ConsoleText, ReadQuery
from .text import decode, line_start, plain, settled

ONE_CHARACTER = 4
"""Bytes."""


async def read_chunk(server: Server, after: int | None, limit: int) -> ConsoleChunk:
    """``console.read`` of the server's node."""
    wanted = ConsoleRead(server.id, after, limit)
    return await current().call(server.node_id, "console.read", wanted, returns=ConsoleChunk)


async def read_text(server: Server, query: ReadQuery) -> ConsoleText:
    """A part of the log as text; at least one character, if there is one."""
    chunk = await read_chunk(server, query.after, min(max(query.limit, ONE_CHARACTER), MAX_READ))
    start, data = chunk.start, chunk.data
    if query.after is None and start > chunk.log_start:
        cut = line_start(data)
        start, data = start + cut, data[cut:]
    text, used = decode(data)
    if query.plain:
        text, used = _plain(text, used, more=chunk.end < chunk.log_end)
    return ConsoleText(start, text, start + used, chunk.log_start, chunk.log_end)


def _plain(text: str, used: int, *, more: bool) -> tuple[str, int]:
    """Plain text, and how many bytes it stands for: what may be half a sequence is left for the next time."""
    whole = settled(text)
    if not whole and more:
        return plain(text), used
    return plain(whole), len(whole.encode())
