"""Every hook is documented with its exact arguments, and used by the example plugin."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from stellar import hookspecs
from stellar.plugins.blueprints import hookspecs as blueprint_hooks
from stellar.plugins.nodes import hookspecs as node_hooks
from stellar.plugins.servers import hookspecs as server_hooks

ROOT = Path(__file__).parents[1]
DOCUMENTED = (ROOT / "plugins/README.md").read_text("utf-8")
EXAMPLE = (ROOT / "tests/example_plugin/stellar_example/__init__.py").read_text("utf-8")


def hooks(module: ModuleType) -> list[tuple[str, str]]:
    """A module's hooks: name and arguments."""
    found = inspect.getmembers(module, lambda member: hasattr(member, "stellar_spec"))
    return [(name, ", ".join(inspect.signature(function).parameters)) for name, function in found]


MODULES = [hookspecs, blueprint_hooks, node_hooks, server_hooks]
ALL = [hook for module in MODULES for hook in hooks(module)]


def test_there_are_hooks() -> None:
    assert len(ALL) > 20


@pytest.mark.parametrize(("name", "arguments"), ALL, ids=[name for name, _ in ALL])
def test_a_hook_is_documented_with_its_arguments(name: str, arguments: str) -> None:
    assert f"### `{name}({arguments})`\n" in DOCUMENTED


@pytest.mark.parametrize(("name", "arguments"), ALL, ids=[name for name, _ in ALL])
def test_the_example_plugin_uses_a_hook(name: str, arguments: str) -> None:
    assert f"@hookimpl\ndef {name}({arguments}):" in EXAMPLE


def test_nothing_else_is_documented() -> None:
    assert set(re.findall(r"^### `(\w+)\(", DOCUMENTED, re.MULTILINE)) == {name for name, _ in ALL}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_hook_says_when_it_is_called(module: ModuleType) -> None:
    for name, function in inspect.getmembers(module, lambda member: hasattr(member, "stellar_spec")):
        assert function.__doc__, name
