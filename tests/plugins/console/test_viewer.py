"""Whatever happens on the way, a viewer gets each byte exactly once and in order, or inside an explicit gap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from unittest import mock

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from stellar.errors import NodeUnreachable
from stellar.plugins.console import viewer as module
from stellar.plugins.console.frames import Error, Gap, Output, Stats, Status
from stellar.plugins.console.inbox import MAX_WAITING, Chunk, Inbox
from stellar.plugins.console.viewer import HISTORY, Viewer
from stellar.plugins.servers.calls import ConsoleChunk
from stellar.testing.waiting import wait_for

AWAY = NodeUnreachable("The node is away.")
RUNNING = Status("running", True)
decode_output = msgspec.json.Decoder(Output).decode


class World:
    """A server's log on its node, what the node sends of it, and a client that checks what it gets."""

    def __init__(self) -> None:
        self.log = b""
        self.start = 0
        self.sent = 0
        self.reachable = True
        self.inbox = Inbox()
        self.next: int | None = None
        self.frames: list[Any] = []
        self.task: asyncio.Task[None] | None = None
        self.viewer: Viewer | None = None

    def connect(self, after: int | None) -> None:
        """Open a socket that goes on at ``after``."""
        self.disconnect()
        self.inbox, self.next = Inbox(), after
        self.viewer = Viewer(self.inbox, self.read, self.receive, RUNNING)
        if after is not None:
            self.viewer.resume(after)
        self.task = asyncio.create_task(self.viewer.run())
        self.watch()

    def disconnect(self) -> None:
        if self.task is not None:
            self.task.cancel()

    def watch(self) -> None:
        """The lease is renewed, or can't be."""
        if self.reachable:
            self.inbox.watched(self.sent)
        else:
            self.inbox.unwatched(AWAY)

    async def read(self, after: int | None, limit: int) -> ConsoleChunk:
        await asyncio.sleep(0)
        if not self.reachable:
            raise AWAY
        end = len(self.log)
        wanted = max(0, end - limit) if after is None else min(after, end)
        start = max(wanted, self.start)
        data = self.log[start : start + limit]
        await asyncio.sleep(0)
        return ConsoleChunk(start, start + len(data), self.start, end, data)

    async def receive(self, frame: Any) -> None:
        """The client's end."""
        await asyncio.sleep(0)
        if isinstance(frame, msgspec.Raw):
            frame = decode_output(frame)
        self.frames.append(frame)
        if isinstance(frame, Gap):
            assert frame.from_ == self.next
            assert frame.to <= self.start or frame.from_ > len(self.log)
            self.next = frame.to
        elif isinstance(frame, Output):
            assert self.next in (None, frame.seq)
            data = frame.data.encode()
            expected = self.log[frame.seq : frame.seq + len(data)]
            assert len(expected) == len(data)
            assert all(is_ == was or (is_ == ord("?") and was >= 0x80) for is_, was in zip(data, expected, strict=True))
            self.next = frame.seq + len(data)

    async def settle(self, *, connection_lost: bool = False) -> None:
        """The node is well and all has been sent: the client has everything."""
        self.reachable = True
        self.sent = len(self.log)
        if connection_lost:
            self.inbox.lose()
        self.watch()
        try:
            await wait_for(lambda: (self.task is not None and self.task.done()) or self.next == len(self.log))
        finally:
            self.disconnect()
        assert self.task is not None
        if self.task.done() and not self.task.cancelled():
            self.task.result()
        assert self.next == len(self.log)

    def text(self) -> str:
        return "".join(frame.data for frame in self.frames if isinstance(frame, Output))


def prints(world: World, data: bytes) -> None:
    world.log += data


def says(world: World, data: bytes) -> None:
    """Printed and sent at once, as nearly always."""
    prints(world, data)
    sends(world, len(data) + 4)


def mumbles(world: World, data: bytes) -> None:
    """Printed, and lost on its way."""
    prints(world, data)
    skips(world, len(world.log))


def sends(world: World, size: int) -> None:
    """The node sends the next bytes, if the link is up."""
    data = world.log[max(world.sent, world.start) :][:size]
    seq = max(world.sent, world.start)
    world.sent = seq + len(data)
    if data and world.reachable:
        world.inbox.put(Chunk(seq, data))


def skips(world: World, size: int) -> None:
    world.sent = min(len(world.log), world.sent + size)


def repeats(world: World, size: int) -> None:
    world.sent = max(0, world.sent - size)


def rotates(world: World, size: int) -> None:
    world.start = min(len(world.log), world.start + size)


def overflows(world: World, _: int) -> None:
    world.inbox.lose()


def goes_away(world: World, _: int) -> None:
    world.reachable = False
    world.watch()


def comes_back(world: World, _: int) -> None:
    world.reachable = True
    world.inbox.lose()
    world.watch()


def renews(world: World, _: int) -> None:
    world.watch()


def reconnects(world: World, _: int) -> None:
    world.connect(world.next)


def resumes(world: World, size: int) -> None:
    """The same socket asks for something that it has had, as a page does after a reload."""
    if world.next is not None and world.viewer is not None:
        world.connect(max(0, world.next - size))


Step = tuple[Callable[[World, Any], None], Any]
TEXT = st.text(alphabet="ab\n€é😀", max_size=40).map(str.encode)
SIZE = st.integers(1, 60)
STEPS: list[Callable[[World, int], None]] = [
    sends,
    skips,
    repeats,
    rotates,
    overflows,
    goes_away,
    comes_back,
    comes_back,
    renews,
    reconnects,
    resumes,
]
STEP = st.one_of(
    st.tuples(st.just(says), TEXT),
    st.tuples(st.just(says), TEXT),
    st.tuples(st.sampled_from([prints, says, mumbles]), TEXT | st.binary(max_size=20)),
    st.tuples(st.sampled_from(STEPS), SIZE),
)
FAST = {"RESUME_WITHIN": 0.0, "READ_PAUSE": 0.0, "READ": 16, "HISTORY": 24, "INCOMPLETE_FOR": 0.01}


async def live_through(steps: list[Step], pauses: list[int], *, connection_lost: bool) -> None:
    world = World()
    world.connect(0)
    for index, (step, argument) in enumerate(steps):
        step(world, argument)
        for _ in range(pauses[index % len(pauses)]):
            await asyncio.sleep(0)
    world.log += b"\n"
    await world.settle(connection_lost=connection_lost)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=40), st.lists(st.sampled_from([0, 1, 3, 40]), min_size=1, max_size=5), st.booleans())
def test_each_byte_arrives_once_or_is_in_a_gap(steps: list[Step], pauses: list[int], connection_lost: bool) -> None:
    with mock.patch.multiple(module, **FAST):
        asyncio.run(live_through(steps, pauses, connection_lost=connection_lost))


async def test_history_is_the_tail_from_a_line_start() -> None:
    world = World()
    world.log = b"y" * HISTORY + b"\n" + b"z" * 10
    world.connect(None)
    await world.settle()
    assert world.text() == "z" * 10


async def test_whole_history_is_sent_when_it_is_short() -> None:
    world = World()
    world.log = "first €\nsecond".encode()
    world.connect(None)
    await world.settle()
    assert world.text() == "first €\nsecond"


async def test_rotated_output_is_a_gap() -> None:
    world = World()
    world.log, world.start = b"0123456789", 6
    world.connect(2)
    await world.settle()
    assert [frame for frame in world.frames if not isinstance(frame, Status)] == [Gap(2, 6), Output(6, "6789")]


async def test_position_beyond_the_end_is_set_right() -> None:
    world = World()
    world.log = b"short"
    world.connect(500)
    await world.settle()
    assert Gap(500, 5) in world.frames


async def test_live_output_goes_on_where_history_ends() -> None:
    world = World()
    world.log = b"history "
    world.connect(0)
    await wait_for(lambda: world.next == 8)
    world.log += b"and more"
    world.inbox.put(Chunk(4, world.log[4:12]))
    world.inbox.put(Chunk(12, world.log[12:]))
    await wait_for(lambda: world.next == 16)
    world.disconnect()
    assert world.text() == "history and more"


async def test_output_that_was_lost_on_its_way_is_read_from_the_log() -> None:
    world = World()
    world.log = b"0123"
    world.connect(0)
    await wait_for(lambda: world.next == 4)
    world.log = b"0123456789"
    world.inbox.put(Chunk(8, b"89"))
    await wait_for(lambda: world.next == 10)
    world.log = b"0123456789 and the last"
    world.sent = len(world.log)
    world.watch()
    await wait_for(lambda: world.next == len(world.log))
    world.disconnect()
    assert world.text() == "0123456789 and the last"


async def test_incomplete_character_is_shown_after_a_while() -> None:
    world = World()
    world.log = b"prompt\xe2\x82"
    world.connect(0)
    await world.settle()
    assert world.text() == "prompt??"


async def test_node_away_is_told_once_and_the_stream_goes_on() -> None:
    world = World()
    world.log, world.reachable = b"one", False
    world.connect(0)
    await wait_for(lambda: any(isinstance(frame, Error) for frame in world.frames))
    world.watch()
    world.inbox.put_stats(Stats("offline", 0, 0, 0, 0, 0))
    await wait_for(lambda: any(isinstance(frame, Stats) for frame in world.frames))
    await world.settle()
    errors = [frame for frame in world.frames if isinstance(frame, Error)]
    assert [error.code for error in errors] == ["node_unreachable"]
    assert world.text() == "one"


async def test_state_that_has_not_changed_is_not_repeated() -> None:
    world = World()
    world.connect(0)
    for state in ("running", "stopping", "stopping", "offline"):
        world.inbox.put_status(Status(state, True))
    await wait_for(lambda: Status("offline", True) in world.frames)
    world.disconnect()
    assert [frame.state for frame in world.frames] == ["running", "stopping", "offline"]


async def test_what_a_game_printed_comes_before_its_end() -> None:
    world = World()
    world.connect(0)
    await wait_for(lambda: RUNNING in world.frames)
    world.log = b"the last words"
    for state in ("stopping", "offline", "starting"):
        world.inbox.put_status(Status(state, True))
    await wait_for(lambda: Status("starting", True) in world.frames)
    world.disconnect()
    states = [frame.state if isinstance(frame, Status) else frame.data for frame in world.frames]
    assert states == ["running", "stopping", "the last words", "offline", "starting"]


async def test_an_end_is_told_when_the_node_is_away() -> None:
    world = World()
    world.connect(0)
    await wait_for(lambda: RUNNING in world.frames)
    world.reachable = False
    world.inbox.put_status(Status("offline", True))
    await wait_for(lambda: Status("offline", True) in world.frames)
    world.disconnect()


async def test_a_client_that_comes_back_gets_the_last_output_before_the_end() -> None:
    world = World()
    world.log = b"more"
    inbox = world.inbox
    viewer = Viewer(inbox, world.read, world.receive, Status("offline", True))
    viewer.resume(0)
    world.next = 0
    world.task = asyncio.create_task(viewer.run())
    inbox.watched(4)
    await wait_for(lambda: len(world.frames) == 2)
    world.disconnect()
    assert world.frames == [Output(0, "more"), Status("offline", True)]


def test_inbox_is_bounded() -> None:
    inbox = Inbox()
    inbox.put(Chunk(0, b"x" * MAX_WAITING))
    assert not inbox.lost
    inbox.put(Chunk(MAX_WAITING, b"x"))
    assert inbox.lost
    assert inbox.take() is None
    for _ in range(1000):
        inbox.put_status(RUNNING)
        inbox.put_stats(Stats("running", 0, 0, 0, 0, 0))
    assert len(inbox.take_frames()) < 20
