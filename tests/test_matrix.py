"""Every route as every kind of caller, compared with the one declared matrix, ``matrix.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from full_panel import full_panel
from matrix_parts import Case, Scene, example, name_of
from rights_parts import new_node
from web_parts import WebServer

from stellar.http.app import build
from stellar.http.router import Operation
from stellar.plugins.nodes.models import Node
from stellar.testing.valkey import ValkeyServer

MATRIX: dict[str, Any] = tomllib.loads(Path(__file__).with_name("matrix.toml").read_text("utf-8"))
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


def case_of(operation: Operation) -> Case:
    """A route with its action, and a body and query that it accepts."""
    declared, name = operation.declaration, name_of(operation)
    permission = None if declared.permission == "signed_in" else declared.permission
    body = None
    if declared.body is not None:
        (schema,), components = msgspec.json.schema_components([declared.body], ref_template="#/{name}")
        body = example(schema, components)
    body = MATRIX["bodies"].get(name, body)
    query: dict[str, str] = {}
    if declared.query is not None:
        fields = msgspec.structs.fields(declared.query)
        query = {one.encode_name: "x" for one in fields if one.required}
    return Case(operation, MATRIX["actions"].get(name, permission), body, query | MATRIX["queries"].get(name, {}))


def test_every_route_has_its_line(operations: dict[str, Operation]) -> None:
    assert set(operations) - set(MATRIX["routes"]) == set(), "declare these in tests/matrix.toml"
    assert set(MATRIX["routes"]) - set(operations) == set(), "these are no longer served"


@pytest.mark.parametrize("field", ["is_admin", "owner_id", "user_id", "scopes_of"])
def test_no_body_takes_a_field_that_it_does_not_declare(field: str, operations: dict[str, Operation]) -> None:
    checked = 0
    for operation in operations.values():
        body = case_of(operation).body
        if not isinstance(body, dict):
            continue
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            msgspec.convert({**body, field: True}, operation.declaration.body)
        checked += 1
    assert checked > 20, "the bodies of the whole API"


@pytest.mark.parametrize("name", MATRIX["routes"])
def test_route(name: str, operations: dict[str, Operation], panel: WebServer, node: Node, valkey: ValkeyServer) -> None:
    expected = dict(zip(CALLERS, MATRIX["rules"][MATRIX["routes"][name]].split(), strict=True))
    case = case_of(operations[name])
    found: dict[str, str] = {}
    scene = Scene(panel, node, case)
    for caller in CALLERS:
        # What changes something may change what the next caller finds.
        scene = scene if name.startswith("GET ") else Scene(panel, node, case)
        with valkey.client() as client:
            for key in client.scan_iter("ratelimit:*"):
                client.delete(key)
        found[caller] = scene.answer(caller)
    assert found == expected
