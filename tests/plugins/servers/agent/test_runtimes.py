"""The runtimes of a node: the built-in ones, and what plugins bring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server_parts import Recorder

from stellar.extend.manager import PluginManager
from stellar.plugins.servers.agent.probe import examine
from stellar.plugins.servers.agent.process import ProcessRuntime
from stellar.plugins.servers.agent.runtimes import RuntimeRegistrar, make


class Inner(ProcessRuntime):
    name = "inner"

    def __init__(self, context: Recorder) -> None:
        super().__init__(context.data / "servers", sandboxed=False)


class Plugins(PluginManager):
    """Two plugins, the second of which has nothing that works."""

    def __init__(self) -> None:
        """Without looking for any."""

    def each(self, hook: str, **arguments: Any) -> Iterator[Any]:
        assert hook == "register_runtimes"
        arguments["runtimes"].add("inner", Inner)
        arguments["runtimes"].add("broken", lambda context: context.nothing)
        yield None, None


@pytest.mark.parametrize("name", ["process", "docker", "", "Big", "a b", "x" * 17, "../x", "-x"])
def test_a_runtime_s_name_is_its_own(name: str) -> None:
    with pytest.raises(ValueError, match="runtime"):
        RuntimeRegistrar().add(name, lambda context: ProcessRuntime())


def test_no_two_runtimes_have_one_name() -> None:
    registrar = RuntimeRegistrar()
    registrar.add("inner", lambda context: ProcessRuntime())
    with pytest.raises(ValueError, match="already"):
        registrar.add("inner", lambda context: ProcessRuntime())


async def test_plugins_bring_runtimes_and_a_broken_one_is_left_out(tmp_path: Path) -> None:
    context = Recorder(tmp_path)
    assert list(make(context)) == ["process", "docker"]
    context.services[PluginManager] = Plugins()
    runtimes = make(context)
    assert list(runtimes) == ["process", "docker", "inner"]
    available, protection = await examine(runtimes)
    assert available["inner"]["available"] and "inner" in protection
    assert available["docker"] == {"available": False, "reason": available["docker"]["reason"]}
    assert "docker" in available["docker"]["reason"].lower()
