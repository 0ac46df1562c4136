"""Every route as every kind of caller, compared with the one declared matrix, ``matrix.toml``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from full_panel import full_panel
from matrix_parts import MATRIX, Scene, case_of, forget_limits, name_of
from rights_parts import new_node
from web_parts import WebServer

from stellar.auth import permissions
from stellar.http.app import build
from stellar.http.router import Operation
from stellar.plugins.nodes.models import Node
from stellar.plugins.servers.permissions import LATER
from stellar.testing.valkey import ValkeyServer

CALLERS: list[str] = MATRIX["callers"]


@pytest.fixture(scope="module")
def own_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the panel keeps its data."""
    return tmp_path_factory.mktemp("matrix")


@pytest.fixture(scope="module")
def panel(own_data: Path, valkey: ValkeyServer) -> Iterator[WebServer]:
    """A panel with every built-in plugin and no node connected."""
    with full_panel(own_data, valkey.url, f"sqlite:///{own_data / 'test.db'}", servers={"user_limit": 1000}) as web:
        yield web


@pytest.fixture(scope="module")
def node(panel: WebServer) -> Node:
    """Where the servers are said to be."""
    return new_node()


@pytest.fixture(scope="module")
def operations(panel: WebServer) -> dict[str, Operation]:
    """Everything that is served, API and pages."""
    return {name_of(one): one for one in build(panel.panel)[1].operations}


def test_every_route_has_its_line(operations: dict[str, Operation]) -> None:
    assert set(operations) - set(MATRIX["routes"]) == set(), "declare these in tests/matrix.toml"
    assert set(MATRIX["routes"]) - set(operations) == set(), "these are no longer served"


def test_every_action_guards_something(operations: dict[str, Operation]) -> None:
    cases = [(MATRIX["routes"][name], case_of(one).action) for name, one in operations.items()]
    guarded = {action for rule, action in cases if rule not in ("public", "by-token", "signed-in", "session")}
    guarded |= {more["action"] for more in MATRIX["more"].values()}
    declared = {permission.action for permission in permissions.known()}
    assert declared - guarded - set(LATER) == set(), "these guard no route"
    assert guarded & set(LATER) == set(), "these are no longer for later"


@pytest.mark.parametrize("name", [*MATRIX["routes"], *MATRIX["more"]])
def test_route(name: str, operations: dict[str, Operation], panel: WebServer, node: Node, valkey: ValkeyServer) -> None:
    more = MATRIX["more"].get(name)
    rule = more["rule"] if more else MATRIX["routes"][name]
    expected = dict(zip(CALLERS, MATRIX["rules"][rule].split(), strict=True))
    case = case_of(operations[" ".join(name.split()[:2])])
    if more:
        case.action, case.body = more["action"], more["body"]
    found: dict[str, str] = {}
    scene = Scene(panel, node, case)
    for caller in CALLERS:
        # What changes something may change what the next caller finds.
        scene = scene if name.startswith("GET ") else Scene(panel, node, case)
        forget_limits(valkey)
        found[caller] = scene.answer(caller)
    assert found == expected
