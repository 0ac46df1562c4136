"""Fields and parameters that a route does not declare: each is named and refused, and nothing changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from foreign_parts import Estate, everything, new_estate
from full_panel import full_panel
from matrix_parts import MATRIX, case_of, example, forget_limits, name_of
from rights_parts import new_user, signed_in
from web_parts import WebServer

from stellar.http.app import build
from stellar.http.router import Operation
from stellar.testing.valkey import ValkeyServer

CHANGING = [name for name in MATRIX["routes"] if name.startswith(("POST /api", "PUT /api", "PATCH /api"))]
SERVED = [name for name in MATRIX["routes"] if " /api/v1/" in name and not name.startswith("WEBSOCKET")]
WANTED = {
    "is_admin": True,
    "owner_id": "x",
    "owner": "x",
    "user_id": "x",
    "role": "admin",
    "suspended": False,
    "suspended_at": None,
    "id": "x",
    "created_at": "2020-01-01T00:00:00Z",
    "password_hash": "x",
    "email_verified_at": "2020-01-01T00:00:00Z",
    "scopes": ["accounts.manage"],
    "state": "running",
    "__class__": "x",
    "": "x",
}
"""What somebody would like to set."""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> Iterator[WebServer]:
    """A panel with every built-in plugin and no node connected."""
    data = tmp_path_factory.mktemp("unknown")
    with full_panel(data, valkey.url, f"sqlite:///{data / 'test.db'}") as server:
        yield server


@pytest.fixture(scope="module")
def operations(web: WebServer) -> dict[str, Operation]:
    """Everything that is served."""
    return {name_of(one): one for one in build(web.panel)[1].operations}


@pytest.fixture(scope="module")
def document(web: WebServer) -> dict[str, Any]:
    """The description of the API."""
    with web.client() as client:
        found: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def estate(web: WebServer) -> Estate:
    """Something that could be changed, of an administrator."""
    return new_estate(new_user("admin", "root"))


@pytest.fixture(scope="module")
def root(web: WebServer, estate: Estate) -> Iterator[httpx.Client]:
    """The administrator, whom nothing but the rule stops."""
    with signed_in(web, estate.owner) as client:
        yield client


def address(operation: Operation, estate: Estate) -> str:
    """The route's path with the estate's ids."""
    path = re.sub(r":[^}]*}", "}", operation.path)
    return path.format(**{name: estate.ids.get(name, "x") for name in operation.parameters})


def places(schema: dict[str, Any], components: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any], dict[str, Any]]]:
    """Each object that a schema declares: a smallest value around it, the object in it, and what it declares."""
    if "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    for option in schema.get("anyOf", ()):
        yield from places(option, components)
    if schema.get("type") == "array":
        for value, inner, declared in places(schema["items"], components):
            yield [value], inner, declared
    if "properties" not in schema:
        return
    smallest = example(schema, components)
    yield smallest, smallest, schema
    for name, below in schema["properties"].items():
        for value, inner, declared in places(below, components):
            yield {**example(schema, components), name: value}, inner, declared


@pytest.mark.parametrize("name", CHANGING)
def test_no_body_takes_a_field_that_it_does_not_declare(
    web: WebServer,
    operations: dict[str, Operation],
    document: dict[str, Any],
    estate: Estate,
    root: httpx.Client,
    valkey: ValkeyServer,
    name: str,
) -> None:
    operation = operations[name]
    if operation.declaration.body is None:
        return
    method, _, path = name.partition(" ")
    described = document["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    before, sent = everything(web.panel), 0
    for body, inner, declared in places(described, document["components"]["schemas"]):
        assert declared["additionalProperties"] is False, "the description says so too"
        for field, value in WANTED.items():
            if field in declared["properties"]:
                continue
            forget_limits(valkey)
            kept = dict(inner)
            inner.clear()
            inner.update({field: value, **kept})
            refused = root.request(method, address(operation, estate), json=body)
            inner.clear()
            inner.update(kept)
            assert refused.status_code == 422, f"{body}: {refused.text}"
            assert body is not inner or refused.json()["errors"] == {field: "This field is not known."}, refused.text
            sent += 1
    assert sent >= len(WANTED) / 2
    assert everything(web.panel) == before


@pytest.mark.parametrize("name", SERVED)
def test_no_route_takes_a_parameter_that_it_does_not_declare(
    web: WebServer,
    operations: dict[str, Operation],
    estate: Estate,
    root: httpx.Client,
    valkey: ValkeyServer,
    name: str,
) -> None:
    operation = operations[name]
    case, before = case_of(operation), everything(web.panel)
    for parameter in ("is_admin", "sort[]", "filter[owner]", "SORT", "fields", "order_by", "1'--", "\u202e"):
        forget_limits(valkey)
        query = {**case.query, parameter: "password_hash"}
        refused = root.request(name.partition(" ")[0], address(operation, estate), params=query)
        assert refused.status_code == 422, refused.text
        assert refused.json()["errors"] == {parameter: "This field is not known."}
    assert everything(web.panel) == before


@pytest.mark.parametrize("name", [name for name in SERVED if name.startswith("GET ")])
def test_a_declared_parameter_takes_only_what_it_declares(
    operations: dict[str, Operation],
    document: dict[str, Any],
    estate: Estate,
    root: httpx.Client,
    valkey: ValkeyServer,
    name: str,
) -> None:
    operation = operations[name]
    forget_limits(valkey)
    described = document["paths"][name.removeprefix("GET ")]["get"].get("parameters", ())
    for parameter in (one for one in described if one["in"] == "query"):
        schemas = [parameter["schema"], *parameter["schema"].get("anyOf", ())]
        if any((one.get("type") == "string" and "enum" not in one) or one.get("type") == "array" for one in schemas):
            continue
        for value in (
            "password_hash",
            "name;drop table auth_user",
            "--name",
            "name,id",
            "9" * 30,
            "-1",
            "1e400",
            "\x00",
        ):
            query = {**case_of(operation).query, parameter["name"]: value}
            refused = root.get(address(operation, estate), params=query)
            assert (refused.status_code, list(refused.json()["errors"])) == (422, [parameter["name"]]), refused.text
