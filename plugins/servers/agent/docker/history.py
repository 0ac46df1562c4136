"""Docker's own log of a container: reading on where the console log ends, and finding the place again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, NamedTuple

from ..console_log import ConsoleLog
from .client import Client
from .output import Budget, Console, Mark

PART = 16 * 1024
"""Docker cuts longer lines into parts of this size, each with a time stamp of its own."""
STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ")
MARK_LINES = 64
MARK_BYTES = 256 * 1024
"""A mark is renewed when so much has been printed since: Docker throws old lines away."""
SURE_BYTES = 1024 * 1024
"""Docker keeps at least so much, also of the shortest lines."""
LAG_SECONDS = 0.3
SEARCHED = 4 * 1024 * 1024
TAIL = 4 * 1024
MISSING = b"\r\n[stellar] output is missing here: Docker had thrown it away before it could be read\r\n"


class Entry(NamedTuple):
    """One line of Docker's log, or one part of a long one."""

    stamp: str
    data: bytes


def entries(text: bytes) -> list[Entry]:
    """The lines of a log that was read with time stamps; nothing from where that isn't one."""
    found, at = [], 0
    while match := STAMP.match(text, at):
        begin = match.end()
        newline = text.find(b"\n", begin, begin + PART)
        end = newline + 1 if newline >= 0 else min(begin + PART, len(text))
        if newline < 0 and text[end : end + 1] == b"\n":
            end += 1  # a line of exactly this length
        found.append(Entry(match[1].decode(), text[begin:end]))
        at = end
    return found


def since(stamp: str) -> dict[str, str]:
    """The parameter that begins reading with the line of that time stamp; none for the beginning."""
    if not stamp:
        return {}
    whole, _, rest = stamp.partition(".")
    fraction = re.match(r"\d*", rest)
    zone = re.search(r"(Z|[+-]\d\d:\d\d)$", stamp)
    at = datetime.fromisoformat(whole.rstrip("Z")[:19] + (zone[1] if zone else "Z").replace("Z", "+00:00"))
    return {"since": f"{int(at.timestamp())}.{(fraction[0] if fraction else '').ljust(9, '0')}"}


class History:
    """What Docker has kept of one container's output, against the console log that it belongs in."""

    def __init__(self, client: Client, container: str, console: Console, log: ConsoleLog, start: int) -> None:
        self._client, self._container = client, container
        self._console, self._log, self._start = console, log, start

    def follow(self, mark: Mark) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """From a mark on, until the container has ended."""
        return self._client.logs(self._container, follow=1, **since(mark.stamp))

    async def rest(self, mark: Mark) -> None:
        """Put what Docker has kept by now and the console log lacks."""
        at, budget = mark.offset, Budget()
        async with self._client.logs(self._container, **since(mark.stamp)) as pieces:
            async for piece in pieces:
                self._console.put(at, piece)
                at += len(piece)
                await budget.spend(len(piece))

    async def newer(self) -> Mark | None:
        """A mark near the end of the output, by looking for Docker's last lines in the console log.

        None where they could stand in several places (a game that repeats itself) or a time stamp isn't its line's own.
        """
        searched_from = max(self._console.end - MARK_BYTES, self._start)
        lines = entries(await self._read(tail=MARK_LINES, timestamps=1))
        if len(lines) < MARK_LINES:
            return None  # the beginning is still there, and it is exact
        at = next((index for index in range(1, len(lines)) if lines[index].stamp != lines[index - 1].stamp), None)
        if at is None:
            return None
        await asyncio.sleep(LAG_SECONDS)
        wanted = b"".join(line.data for line in lines)
        begin, region = self._log.read(searched_from, SEARCHED)
        place = region.find(wanted)
        if place < 0 or region.find(wanted, place + 1) >= 0:
            return None
        return Mark(lines[at].stamp, begin + place + sum(len(line.data) for line in lines[:at]))

    async def regain(self, mark: Mark) -> Mark:
        """The mark, or another where Docker has thrown its line away: then the last lines that we have are looked for.

        What is missing for good is said in the console.
        """
        if await self.reaches(mark):
            return mark
        kept = entries(await self._read(timestamps=1, **since(mark.stamp)))
        if not kept:
            return mark
        begin, tail = self._log.read(max(self._console.end - TAIL, self._start), TAIL)
        tail = tail[: tail.rfind(b"\n") + 1]
        place = b"".join(line.data for line in kept).rfind(tail) if tail else -1
        if place >= 0:
            return Mark(kept[0].stamp, begin - place)
        self._console.put(self._console.end, MISSING)
        return Mark(kept[0].stamp, self._console.end)

    async def reaches(self, mark: Mark) -> bool:
        """Whether Docker's log still begins at or before a mark."""
        if not mark.stamp:
            return self._console.end - mark.offset < SURE_BYTES
        async with self._client.logs(self._container, timestamps=1, **since(mark.stamp)) as pieces:
            async for piece in pieces:
                return piece.startswith(mark.stamp.encode())
        return False

    async def _read(self, **params: Any) -> bytes:
        async with self._client.logs(self._container, **params) as pieces:
            return b"".join([piece async for piece in pieces])
