"""``/events``: what happens in the panel and the caller may see, over a WebSocket or as server-sent events.

Frames out: ``hello {id}`` first; ``event {id, topic, subjects, at, data}``; ``position {id}`` now and then, to resume
after although nothing was for you; ``gap {after, id}`` when what came after ``after`` is lost: load again what you
show, events after ``id`` follow; ``error {code, message}``, then the end. Frames in: ``resume {after}`` and
``subscribe {topics, subjects}``, which replaces the filter. Server-sent events are the same, those that aren't an
``event`` named by their type; the header ``Last-Event-ID`` (or ``?after=``) resumes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import msgspec

from ..bus import bus
from ..bus.feed import Position
from ..bus.follow import Entry
from ..bus.ratelimit import Limit
from ..errors import DomainError, RateLimited
from .answers import Stream, encode
from .declaration import SIGNED_IN
from .endpoint import endpoint
from .follower import Follower, Frame, Gap, Hello, Place, Subjects, Topics, Wanted, checked_position
from .ratelimits import caller
from .request import Request
from .websocket import Socket, websocket

MAX_OPEN = 50
"""How many connections one account may have open in one process."""
CONNECTS = Limit(240, 60)

_LINE_END = re.compile(rb"[\r\n]+")
_open: Counter[str] = Counter()


class EventsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Resume after an event; only these topics (``server.status``, ``job.*``) and subjects (``server:ID``)."""

    after: str = ""
    topics: Topics = []
    subjects: Subjects = []


class Resume(msgspec.Struct, tag_field="type", tag="resume", forbid_unknown_fields=True):
    """Go on after this event."""

    after: str


class Subscribe(msgspec.Struct, tag_field="type", tag="subscribe", forbid_unknown_fields=True):
    """From now on only these; empty lists mean everything."""

    topics: Topics = []
    subjects: Subjects = []


class EventsSocket:
    """``/events``"""

    @websocket(permission=SIGNED_IN, query=EventsQuery, limit=CONNECTS, keys=True)
    async def on_websocket(self, req: Request, socket: Socket, query: EventsQuery) -> None:
        """Status, metrics, jobs and notifications of what the caller may see."""
        follower = _follower(req, query, _after(query.after))
        with _counted(caller(req)):
            async with bus.current().feed.following(follower.heard):
                await follower.admit()
                await socket.accept()
                await socket.run(_receive(socket, follower), _send(socket, follower), follower.guard())


class EventsStream:
    """``/events/stream``"""

    @endpoint(
        permission=SIGNED_IN,
        query=EventsQuery,
        returns=Stream,
        limit=CONNECTS,
        keys=True,
        downloads=("text/event-stream",),
    )
    async def on_get(self, req: Request, query: EventsQuery) -> Stream:
        """The same as server-sent events; the header Last-Event-ID resumes."""
        last: str | None = req.get_header("Last-Event-ID")
        follower = _follower(req, query, _after(last or query.after))
        await follower.admit()
        chunks = _text_events(follower, caller(req))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Stream(chunks, "text/event-stream; charset=utf-8", headers=headers)


ROUTES: dict[str, object] = {"/events": EventsSocket(), "/events/stream": EventsStream()}


def _after(text: str) -> Position | None:
    return checked_position(text) if text else None


def _follower(req: Request, query: EventsQuery, after: Position | None) -> Follower:
    return Follower(req, bus.current().feed, _wanted(query.topics, query.subjects), after)


def _wanted(topics: list[str], subjects: list[str]) -> Wanted:
    return Wanted(tuple(topics), frozenset(subjects))


async def _receive(socket: Socket, follower: Follower) -> None:
    while True:
        frame = await socket.receive(Resume | Subscribe)  # type: ignore[arg-type]
        if isinstance(frame, Resume):
            follower.resume(checked_position(frame.after))
        elif isinstance(frame, Subscribe):
            follower.wanted = _wanted(frame.topics, frame.subjects)


async def _send(socket: Socket, follower: Follower) -> None:
    async for frame in follower.frames():
        await socket.send(frame.frame if isinstance(frame, Entry) else frame)


async def _text_events(follower: Follower, who: str) -> AsyncIterator[bytes]:
    try:
        with _counted(who):
            async with bus.current().feed.following(follower.heard):
                async for frame in follower.frames():
                    yield _text_event(frame)
    except DomainError as error:
        problem = {"type": "error", "code": error.code, "message": error.message}
        yield b"event: error\ndata: %b\n\n" % encode(problem)


def _text_event(frame: Frame) -> bytes:
    """Events have no name, so that ``onmessage`` gets them; the other frames are named by their type."""
    if isinstance(frame, Entry):
        return b"id: %b\ndata: %b\n\n" % (frame.event.id.encode(), _LINE_END.sub(b" ", bytes(frame.frame)))
    name = _NAMES[type(frame)]
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name, frame.id.encode(), encode(frame))


_NAMES: dict[type, bytes] = {Hello: b"hello", Gap: b"gap", Place: b"position"}


@contextmanager
def _counted(who: str) -> Iterator[None]:
    """Refuse an account that holds too many connections open: each costs memory."""
    if _open[who] >= MAX_OPEN:
        raise RateLimited(f"You have {MAX_OPEN} event connections open; close some first.", retry_after=5)
    _open[who] += 1
    try:
        yield
    finally:
        _open[who] -= 1
        if not _open[who]:
            del _open[who]
