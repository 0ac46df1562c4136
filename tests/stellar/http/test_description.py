"""The API's description: examples, refusals and headers of every operation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest

from stellar.auth.permissions import is_server_action
from stellar.config import Config, prepare_data
from stellar.http.app import build
from stellar.http.errors import Problem
from stellar.http.examples import example
from stellar.http.openapi import describe_api
from stellar.http.router import Operation
from stellar.panel import boot
from stellar.plugins.servers.service import STILL_ALLOWED

LIMITED = {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}


@pytest.fixture
def operations(tmp_path: Path, redis_url: str) -> list[Operation]:
    """Everything below ``/api/v1``."""
    config = Config(tmp_path, {"redis": {"url": redis_url}}, {}, "the test's configuration")
    prepare_data(config)
    panel = boot("web", config=config)
    panel.open()
    return [one for one in build(panel)[1].operations if one.path.startswith("/api/v1/")]


class Box(msgspec.Struct):
    """Something with a field of each kind."""

    __example__: ClassVar[dict[str, Any]] = {"label": "A box", "lid": msgspec.UNSET}

    id: str
    label: str
    size: Annotated[int, msgspec.Meta(ge=3)]
    colour: Annotated[str, msgspec.Meta(examples=["red"])] | None
    kind: Literal["wood", "paper"]
    made: datetime
    inner: list[Inner]
    renamed: int = msgspec.field(name="other", default=7)
    lid: str | msgspec.UnsetType = msgspec.UNSET


class Inner(msgspec.Struct):
    """Inside."""

    email: str


class Crate(Box, kw_only=True):
    """Also has what its base says."""

    __example__: ClassVar[dict[str, Any]] = {"wheels": 4}

    wheels: int


def test_an_example_is_made_of_what_a_struct_says_about_its_fields() -> None:
    found = example(Box)
    assert found | {"id": "", "made": ""} == {
        "id": "",
        "label": "A box",
        "size": 3,
        "colour": "red",
        "kind": "paper",
        "made": "",
        "inner": [{"email": "ada@example.com"}],
        "other": 7,
    }
    assert isinstance(msgspec.convert(found, Box), Box)
    assert example(Crate) == {**found, "wheels": 4}
    assert example(list[Box]) == [found]


def test_every_body_and_every_answer_has_an_example_of_its_own_type(operations: list[Operation]) -> None:
    paths = describe_api(operations)["paths"]
    checked = 0
    for operation in operations:
        described = paths[operation.path.replace(":int", "")][
            "get" if operation.declaration.is_websocket else operation.method
        ]
        for type_, content in _contents(operation, described):
            (given,) = content["examples"].values()
            msgspec.json.decode(msgspec.json.encode(given["value"]), type=type_)
            assert not _hollow(given["value"]), (operation.method, operation.path, given["value"])
            checked += 1
    assert checked > 120


def test_every_operation_says_how_it_refuses(operations: list[Operation]) -> None:
    document = describe_api(operations)
    responses = document["components"]["responses"]
    for described in (one for methods in document["paths"].values() for one in methods.values()):
        refusals = {
            status: one["$ref"].rpartition("/")[2] for status, one in described["responses"].items() if "$ref" in one
        }
        assert {"400", "503"} <= set(refusals)
        assert not described["security"] or {"401", "403"} <= set(refusals)
        assert ("requestBody" in described) <= ({"413", "415", "422"} <= set(refusals))
        assert "431" in refusals
        for status, name in refusals.items():
            if status == "431":
                assert "content" not in responses[name]
                continue
            (content,) = responses[name]["content"].values()
            (given,) = content["examples"].values()
            assert msgspec.convert(given["value"], Problem).status == int(status)
        success = next(one for status, one in described["responses"].items() if status < "300")
        limited = LIMITED if "429" in refusals and "101" not in described["responses"] else set()
        assert set(success.get("headers", ())) == limited, described["operationId"]
    assert set(responses["TooManyRequests"]["headers"]) == {"Retry-After", *LIMITED}


def test_parameters_are_described_as_they_are_parsed(operations: list[Operation]) -> None:
    document = describe_api(operations)
    described = [one for methods in document["paths"].values() for one in methods.values()]
    parameters = [one for operation in described for one in operation["parameters"] if one["in"] == "query"]
    numbers = [one["schema"] for one in parameters if one["schema"].get("type") == "integer"]
    assert len(numbers) > 10
    assert all(-(2**53) <= number["minimum"] < number["maximum"] <= 2**53 for number in numbers)
    assert not [one for one in parameters if "null" in msgspec.json.encode(one["schema"]).decode()]


def test_a_pattern_means_the_same_to_everybody_who_reads_it(operations: list[Operation]) -> None:
    """Python's ``$`` also matches before a line break at the end, its ``\\s`` is wider, and others know no ``\\Z``."""
    patterns = set(_values_of("pattern", describe_api(operations)))
    assert len(patterns) > 4
    for pattern in patterns:
        assert pattern.startswith("^") and pattern.endswith(r"$(?!\n)"), pattern
        assert not re.search(r"\\[AZsSdDwWbB](?!.*\\x85)", pattern), pattern


def test_an_upload_may_be_of_an_empty_file_but_not_of_no_blueprint(operations: list[Operation]) -> None:
    paths = describe_api(operations)["paths"]
    assert paths["/api/v1/servers/{server_id}/files/content"]["put"]["requestBody"]["required"] is False
    assert paths["/api/v1/blueprints/import"]["post"]["requestBody"]["required"] is True


def test_what_a_suspended_server_refuses_says_so(operations: list[Operation]) -> None:
    paths = describe_api(operations)["paths"]
    refusing = [
        one
        for one in operations
        if is_server_action(one.declaration.permission or "") and one.declaration.permission not in STILL_ALLOWED
    ]
    assert {"files.read", "console.read"} <= {one.declaration.permission for one in refusing}
    for operation in refusing:
        assert "409" in paths[operation.path][operation.method]["responses"], operation


def _values_of(key: str, document: Any) -> Iterator[Any]:
    if isinstance(document, dict):
        if key in document and not isinstance(document[key], dict):
            yield document[key]
        for value in document.values():
            yield from _values_of(key, value)
    elif isinstance(document, list):
        for value in document:
            yield from _values_of(key, value)


def _contents(operation: Operation, described: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    declared = operation.declaration
    if declared.body is not None:
        yield declared.body, described["requestBody"]["content"]["application/json"]
    for status, response in described["responses"].items():
        content = response.get("content", {}).get("application/json")
        if status < "300" and content is not None and not declared.downloads:
            yield declared.returns, content


def _hollow(value: Any) -> bool:
    """Whether nothing in it says anything."""
    if isinstance(value, dict):
        return bool(value) and all(map(_hollow, value.values()))
    if isinstance(value, list):
        return all(map(_hollow, value))
    return value in ("", "x")
