"""Examples for the API's description, put together from what the structs say about their fields.

A field's example is the first ``examples`` of its ``msgspec.Meta``, or what the struct says in ``__example__`` (a
mapping of some of its fields; ``msgspec.UNSET`` leaves one out), or what its name says, or its default, or else
something of its type.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect

MARK = "__example__"

_BY_NAME: dict[str, Any] = {
    "id": "3f0c7f5e-6a0b-4d0e-9a6e-0b8f2c1d7e54",
    "user_id": "9b1d2c3e-4f50-4a6b-8c7d-1e2f3a4b5c6d",
    "email": "ada@example.com",
    "role": "user",
    "locale": "en",
    "theme": "default",
    "time_zone": "Europe/Berlin",
    "address": "203.0.113.7",
    "addresses": ["203.0.113.0/24"],
    "user_agent": "Mozilla/5.0",
    "csrf_token": "q0yLr1S8vX2mB7nK4tW9",
    "token": "Zk3vT8qLw2Xn5Rb7",
    "created_at": "2026-03-01T18:30:00Z",
    "expires_at": "2026-03-08T18:30:00Z",
    "version": "0.1.0",
    "total": 1,
}
_MOMENT = "2026-03-02T09:15:00Z"


def example(type_: Any) -> Any:
    """A value of a type as it is in JSON."""
    return _of(inspect.type_info(type_))


def _of(info: inspect.Type) -> Any:
    match info:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            return extra["examples"][0] if extra and "examples" in extra else _of(inner)
        case inspect.StructType():
            return _of_struct(info)
        case inspect.UnionType(types=types):
            return _of(next((one for one in types if not isinstance(one, inspect.NoneType)), types[0]))
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.ListType(item_type=item):
            return [_of(item)]
        case inspect.DictType() | inspect.AnyType():
            return {}
        case inspect.IntType(ge=least) | inspect.FloatType(ge=least):
            return least or 0
        case inspect.BoolType():
            return False
        case inspect.DateTimeType():
            return _MOMENT
        case inspect.StrType(min_length=least):
            return "x" * (least or 0)
        case _:
            return None


def _of_struct(info: inspect.StructType) -> dict[str, Any]:
    told = _told(info.cls)
    built = {}
    for field in info.fields:
        value = told[field.name] if field.name in told else _of_field(field)
        if value is not msgspec.UNSET:
            built[field.encode_name] = value
    tag = {info.tag_field: info.tag} if info.tag_field else {}
    return {**tag, **built}


def _of_field(field: inspect.Field) -> Any:
    value = _of(field.type)
    if _explicit(field.type):
        return value
    named, default = _BY_NAME.get(field.name), field.default
    if type(named) is type(value):
        return named
    return msgspec.to_builtins(default) if isinstance(default, (str, int, float)) and default != "" else value


def _explicit(info: inspect.Type) -> bool:
    if isinstance(info, inspect.UnionType):
        return any(_explicit(one) for one in info.types)
    if isinstance(info, inspect.Metadata):
        return "examples" in (info.extra_json_schema or {}) or _explicit(info.type)
    return isinstance(info, (inspect.StructType, inspect.DateTimeType))


def _told(cls: type) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        told |= base.__dict__.get(MARK, {})
    return told
