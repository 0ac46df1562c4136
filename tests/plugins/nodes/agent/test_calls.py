"""Calls are answered once per id, and errors arrive as what they are."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from stellar.errors import Conflict
from stellar.plugins.nodes.agent.calls import REMEMBERED, Dispatcher
from stellar.plugins.nodes.protocol import Call
from stellar.testing.waiting import wait_for


class Params(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    data: bytes = b""


class Recorder:
    """Handlers that remember what they were asked."""

    def __init__(self) -> None:
        self.calls: list[Params] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def echo(self, context: Any, params: Params) -> Params:
        self.calls.append(params)
        await self.gate.wait()
        return params

    async def rename(self, context: Any, params: Params) -> dict[str, str]:
        self.calls.append(params)
        await self.gate.wait()
        return {"renamed": params.name}

    async def refuse(self, context: Any, params: Params) -> None:
        raise Conflict("It is already so.", code="already", fields={"name": "is taken"})

    async def crash(self, context: Any, params: Params) -> None:
        raise RuntimeError("a secret detail")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def dispatcher(recorder: Recorder) -> Dispatcher:
    handlers = {"echo": recorder.echo, "rename": recorder.rename, "refuse": recorder.refuse, "crash": recorder.crash}
    return Dispatcher(None, handlers)  # type: ignore[arg-type]


def call(method: str, call_id: str = "1", **params: Any) -> Call:
    return Call(call_id, method, params, 5.0)


async def test_bytes_arrive_as_bytes_also_from_base64(dispatcher: Dispatcher, recorder: Recorder) -> None:
    reply = await dispatcher.answer(call("echo", data="AP8="))
    assert recorder.calls[0].data == b"\x00\xff"
    assert reply.result == {"name": "", "data": b"\x00\xff"}


async def test_the_same_id_is_done_once_also_while_it_is_under_way(dispatcher: Dispatcher, recorder: Recorder) -> None:
    recorder.gate.clear()
    both = asyncio.gather(dispatcher.answer(call("rename", name="a")), dispatcher.answer(call("rename", name="b")))
    await asyncio.sleep(0)
    recorder.gate.set()
    first, second = await both
    assert first == second
    assert await dispatcher.answer(call("rename", name="c")) == first
    assert len(recorder.calls) == 1


async def test_what_was_begun_is_finished_when_the_link_ends(dispatcher: Dispatcher, recorder: Recorder) -> None:
    recorder.gate.clear()
    asked = asyncio.create_task(dispatcher.answer(call("rename", name="a")))
    await wait_for(lambda: recorder.calls)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    recorder.gate.set()
    assert (await dispatcher.answer(call("rename", name="a"))).result == {"renamed": "a"}
    assert len(recorder.calls) == 1


async def test_content_is_not_remembered(dispatcher: Dispatcher, recorder: Recorder) -> None:
    await dispatcher.answer(call("echo"))
    await dispatcher.answer(call("echo"))
    assert len(recorder.calls) == 2


async def test_answers_are_not_remembered_without_bound(dispatcher: Dispatcher, recorder: Recorder) -> None:
    for number in range(REMEMBERED + 1):
        await dispatcher.answer(call("rename", str(number)))
    await dispatcher.answer(call("rename", "0"))
    assert len(recorder.calls) == REMEMBERED + 2


@pytest.mark.parametrize(
    ("method", "params", "kind"),
    [
        ("echo", {"nmae": "a"}, "invalid"),
        ("echo", {"name": 3}, "invalid"),
        ("no.such", {}, "unavailable"),
        ("refuse", {}, "conflict"),
        ("crash", {}, "error"),
    ],
)
async def test_what_goes_wrong_is_told(dispatcher: Dispatcher, method: str, params: dict[str, Any], kind: str) -> None:
    reply = await dispatcher.answer(call(method, **params))
    assert reply.error is not None and reply.error.kind == kind
    assert "secret" not in reply.error.message
    if kind == "conflict":
        assert (reply.error.code, reply.error.fields) == ("already", {"name": "is taken"})
