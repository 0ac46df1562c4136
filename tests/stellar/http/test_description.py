"""The API's description: examples, refusals and headers of every operation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest

from stellar.config import Config, prepare_data
from stellar.http.app import build
from stellar.http.errors import Problem
from stellar.http.examples import example
from stellar.http.openapi import describe_api
from stellar.http.router import Operation
from stellar.panel import boot

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
