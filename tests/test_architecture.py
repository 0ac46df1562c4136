"""A plugin imports the core and the plugins that its manifest requires, nothing else."""

from __future__ import annotations

import importlib
from pathlib import Path

import grimp
import pytest

import stellar
from stellar.extend import Manifest

PLUGINS = ("admin", "blueprints", "console", "files", "nodes", "servers")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """The import graph of the installed package."""
    if not (Path(stellar.__file__).parent / "plugins" / "nodes").is_dir():
        pytest.skip("this reads the installed wheel, where plugins are inside the package: sh packaging/test.sh")
    return grimp.build_graph("stellar", cache_dir=None)


def manifest(name: str) -> Manifest:
    found = importlib.import_module(f"stellar.plugins.{name}").manifest
    assert isinstance(found, Manifest)
    return found


def required(name: str) -> set[str]:
    """What a plugin requires, directly or not."""
    direct = set(manifest(name).requires)
    return direct.union(*(required(other) for other in direct))


def test_these_are_all_the_plugins(graph: grimp.ImportGraph) -> None:
    assert graph.find_children("stellar.plugins") == {f"stellar.plugins.{name}" for name in PLUGINS}


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_imports_only_what_it_requires(graph: grimp.ImportGraph, name: str) -> None:
    own = f"stellar.plugins.{name}"
    modules = {own, *graph.find_descendants(own)}
    imported = {found for module in modules for found in graph.find_modules_directly_imported_by(module)}
    others = {found.split(".")[2] for found in imported if found.startswith("stellar.plugins.")} - {name}
    assert others <= required(name)
