"""What a node finds out about its host, also where a part of that doesn't answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from server_parts import Recorder

from stellar.plugins.servers.agent import handlers
from stellar.plugins.servers.agent.probe import Survey
from stellar.plugins.servers.agent.runtime import Protection
from stellar.plugins.servers.calls import Probe
from stellar.testing.waiting import wait_for


class Asked:
    """A runtime that answers when it is let."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.times = 0
        self.answers = asyncio.Event()

    async def protection(self) -> Protection:
        self.times += 1
        await self.answers.wait()
        return Protection({"cpu": True}, {})


async def test_a_slow_runtime_holds_up_nobody_and_is_told_of_when_it_answers() -> None:
    quick, slow = Asked("quick"), Asked("slow")
    quick.answers.set()
    told: list[dict[str, Any]] = []
    runtimes: Any = {"slow": slow, "quick": quick}
    survey = Survey(runtimes, None, lambda found: told.append(found.available))
    await survey.look(patience=0.05)
    assert survey.available["quick"]["available"] and not survey.available["slow"]["available"]
    assert "has not answered" in survey.available["slow"]["reason"] and list(survey.protection) == ["quick"]
    await survey.look(patience=0.05)
    assert (slow.times, quick.times) == (1, 2)
    slow.answers.set()
    await wait_for(lambda: told[-1]["slow"]["available"], what="the late answer")
    assert list(survey.available) == list(survey.protection) == ["slow", "quick"]


async def test_who_looks_meanwhile_waits_for_the_same_answer() -> None:
    slow = Asked("slow")
    runtimes: Any = {"slow": slow}
    survey = Survey(runtimes, None)
    looks = [asyncio.create_task(survey.look(patience=60)) for _ in range(2)]
    await wait_for(lambda: slow.times, what="the question")
    slow.answers.set()
    await asyncio.gather(*looks)
    assert slow.times == 1 and survey.available["slow"]["available"]


async def test_nobody_is_waited_for_after_the_end() -> None:
    runtimes: Any = {"slow": (slow := Asked("slow"))}
    survey = Survey(runtimes, None)
    look = asyncio.create_task(survey.look(patience=60))
    await wait_for(lambda: slow.times, what="the question")
    survey.close()
    await look
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
async def hung(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a Docker that takes connections and never answers."""
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield f"unix://{path}"


async def test_an_agent_comes_up_beside_a_docker_that_hangs(
    tmp_path: Path, hung: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "EXAMINED_WITHIN", 0.05)
    context = Recorder(tmp_path / "agent", {"STELLAR_DOCKER_HOST": hung})
    async with contextlib.AsyncExitStack() as stack:
        await handlers.start(context)
        stack.push_async_callback(handlers.stop, context)
        assert not context.capabilities.get("runtimes", {}).get("docker")
        found = await handlers.probe(context, Probe(["sh"]))
        assert found.runtimes["process"]["available"] and found.found["sh"]
        assert "doesn't answer" in found.runtimes["docker"]["reason"]
        assert context.capabilities["runtimes"] == found.runtimes
