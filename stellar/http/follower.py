"""One browser that follows what happens: its place in the log, what it wants and what it may see."""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import suppress
from typing import Annotated

import msgspec

from .. import db
from ..auth import authentication
from ..auth.permissions import CHANGED, Actor
from ..auth.sessions import ENDED
from ..bus.feed import Event, Position, format_position, parse_position
from ..bus.follow import Entry, Feed
from ..errors import Invalid, Unauthenticated, Unavailable
from ..extend.manager import PluginManager
from .request import Request

CHECK_SECONDS = 15.0
"""How often rights are looked at again although nothing says that they have changed."""
RETRY_SECONDS = 0.5

Topic = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^([a-z0-9_.\-]+(\.\*)?|\*)$(?!\n)")]
Subject = Annotated[
    str, msgspec.Meta(min_length=3, max_length=120, pattern=r"^[a-z_]+:[^\s\x1c-\x1f\x85\ufeff]+$(?!\n)")
]
Topics = Annotated[list[Topic], msgspec.Meta(max_length=50)]
Subjects = Annotated[list[Subject], msgspec.Meta(max_length=500)]


class Hello(msgspec.Struct, tag_field="type", tag="hello"):
    """The first frame; events after ``id`` follow."""

    id: str


class Gap(msgspec.Struct, tag_field="type", tag="gap"):
    """Events after ``after`` are lost: load again what you show. The next ones follow ``id``."""

    after: str
    id: str


class Place(msgspec.Struct, tag_field="type", tag="position"):
    """Nothing for you up to ``id``: resume after it."""

    id: str


Frame = Entry | Hello | Gap | Place


class Wanted(msgspec.Struct, frozen=True):
    """A filter; empty lists let everything through. A topic may end in ``.*``."""

    topics: tuple[str, ...] = ()
    subjects: frozenset[str] = frozenset()

    def matches(self, event: Event) -> bool:
        """Whether the client wants this."""
        if self.topics and not any(fnmatch.fnmatchcase(event.topic, topic) for topic in self.topics):
            return False
        return not self.subjects or any(subject in self.subjects for subject in event.subjects)


class Audience:
    """What somebody may see: kinds with the ids, or None for all of a kind."""

    def __init__(self, kinds: Mapping[str, frozenset[str] | None]) -> None:
        self._kinds = kinds

    def sees(self, event: Event) -> bool:
        """Whether the event is about something that they may see."""
        for subject in event.subjects:
            kind, _, id_ = subject.partition(":")
            if kind in self._kinds and ((ids := self._kinds[kind]) is None or id_ in ids):
                return True
        return False


def audience_of(actor: Actor, plugins: PluginManager) -> Audience:
    """Ask the plugins; everybody may see what is about themselves."""
    kinds: dict[str, frozenset[str] | None] = {}
    if actor.user_id is not None:
        kinds["user"] = frozenset({actor.user_id})
    for _, answer in plugins.each("visible_events", actor=actor):
        _merge(kinds, answer)
    return Audience(kinds)


def _merge(kinds: dict[str, frozenset[str] | None], answer: Mapping[str, Collection[str] | None]) -> None:
    for kind, ids in answer.items():
        known = kinds.get(kind, frozenset())
        kinds[kind] = None if ids is None or known is None else known | frozenset(ids)


def checked_position(text: str) -> Position:
    """A position from a client; ``Invalid``."""
    position = parse_position(text)
    if position is None:
        raise Invalid("This is not the id of an event; begin without one.", fields={"after": "is not an event's id"})
    return position


class Follower:
    """Yields frames for one client, and knows when it may not stay."""

    def __init__(self, req: Request, feed: Feed, wanted: Wanted, after: Position | None) -> None:
        self.wanted = wanted
        self._req = req
        self._feed = feed
        self._user_id = req.actor.user_id
        self._position = after
        self._jump: Position | None = None
        self._over = False
        self._audience = Audience({})
        self._wake = asyncio.Event()
        self._due = asyncio.Event()
        self._lock = asyncio.Lock()
        self._check_at = 0.0

    def heard(self, entry: Entry | None) -> None:
        """Something has happened in the panel; None when it stops."""
        if entry is None:
            self._over = True
        elif entry.event.topic in (CHANGED, ENDED):
            whose = {subject.partition(":")[2] for subject in entry.event.subjects}
            if not whose or "" in whose or self._user_id in whose:
                self._due.set()
        self._wake.set()

    def resume(self, after: Position) -> None:
        """Go on after another position."""
        self._jump = after
        self._wake.set()

    async def admit(self) -> None:
        """Find out what the caller may see; raises for one who may not follow."""
        self._due.set()
        await self._check()

    async def guard(self) -> None:
        """Raise as soon as the caller may not stay, also while the client reads nothing."""
        while True:
            await self._due.wait()
            await self._check()

    async def frames(self) -> AsyncIterator[Frame]:
        """What to send until the process stops; raises ``Unauthenticated`` once the session or key has ended."""
        if self._position is None:
            self._position = self._feed.last
        yield Hello(format_position(self._position))
        while not self._over:
            if self._jump is not None:
                self._position, self._jump = self._jump, None
            if _time() >= self._check_at:
                self._due.set()
                await self._check()
                yield Place(format_position(self._position))
            self._wake.clear()
            entries = await self._following()
            if entries is None:
                gap = Gap(format_position(self._position), format_position(self._feed.last))
                self._position = self._feed.last
                yield gap
            elif not entries:
                await self._rest()
            else:
                async for frame in self._shown(entries):
                    yield frame

    async def _following(self) -> list[Entry] | None:
        assert self._position is not None
        try:
            return await self._feed.after(self._position)
        except Unavailable:
            await asyncio.sleep(RETRY_SECONDS)
            return []

    async def _shown(self, entries: list[Entry]) -> AsyncIterator[Entry]:
        for entry in entries:
            if self._due.is_set() or self._lock.locked():
                await self._check()
            if self._jump is not None:
                return
            self._position = entry.position
            if self._audience.sees(entry.event) and self.wanted.matches(entry.event):
                yield entry

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._check_at - _time())):
                await self._wake.wait()

    async def _check(self) -> None:
        """Look again who asks and what they may see. While Redis or the database is away nobody can tell: it stays."""
        async with self._lock:
            if not self._due.is_set():
                return
            self._due.clear()
            self._check_at = _time() + CHECK_SECONDS
            try:
                self._audience = await self._look()
            except Unavailable:
                self._check_at = _time() + RETRY_SECONDS

    async def _look(self) -> Audience:
        await authentication.authenticate(self._req, public=False)
        actor = self._req.actor
        if not actor.signed_in or actor.user_id != self._user_id:
            raise Unauthenticated("Your session has ended; sign in again.", code="session_ended")
        return await db.call(audience_of, actor, self._req.panel.plugins)


def _time() -> float:
    return asyncio.get_running_loop().time()
