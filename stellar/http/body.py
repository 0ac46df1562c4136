"""Request bodies and queries into structs; whatever is wrong with them is a 4xx."""

from __future__ import annotations

import asyncio
import json
import math
import re
import types
import typing
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import msgspec

from ..errors import DomainError, Invalid, TooLarge
from .request import Request

S = TypeVar("S", bound=msgspec.Struct)

READ_SECONDS = 30.0
"""How long a client may take to send a JSON body."""

_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`", re.DOTALL)
_INT64 = 2**63
SAFE = 2**53
"""Integers up to this arrive whole from clients that have only floating-point numbers."""


class Malformed(DomainError):
    """The body isn't JSON at all, or isn't all there."""

    kind = "malformed_body"
    status = 400


class BadEncoding(DomainError):
    """A path or query that can't be text."""

    kind = "malformed_request"
    status = 400


class UnsupportedType(DomainError):
    """The body isn't declared to be JSON."""

    kind = "unsupported_media_type"
    status = 415


class TooSlow(DomainError):
    """The body didn't arrive in time."""

    kind = "request_timeout"
    status = 408


async def read_json(req: Request, type_: Any, limit: int) -> Any:
    """The body as ``type_``; ``limit`` is in bytes and checked both against the header and while reading."""
    _check_content_type(req)
    return parse_json(await read_bytes(req, limit), type_)


def parse_json(data: bytes, type_: Any) -> Any:
    """``data`` as ``type_``; raises ``Malformed`` or ``Invalid``."""
    if not data:
        raise Malformed("The request needs a JSON body.")
    try:
        built = json.loads(
            data.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
        if b"\\u0000" in data:
            _refuse_nul(built)
        return _decoder(type_).decode(msgspec.json.encode(built))
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    except (ValueError, msgspec.DecodeError) as error:
        raise Malformed(f"The body is not valid JSON: {_sentence(error)}") from None


def refuse_query(req: Request) -> None:
    """Raise for the first of any parameters: an unknown filter must not look as if it had been applied."""
    for name in req.params:
        raise Invalid(f"The parameter {name[:100]} is not known here.", fields={name[:100]: "This field is not known."})


def parse_query(req: Request, type_: type[S]) -> S:
    """The query string as a struct; a parameter that the struct doesn't know is ignored unless it forbids that."""
    lists = _list_fields(type_)
    values: dict[str, Any] = {}
    for name, value in req.params.items():
        if name in lists:
            values[name] = value if isinstance(value, list) else [value]
        elif isinstance(value, list):
            raise Invalid(f"The parameter {name} is given twice.", fields={name: "given twice"})
        else:
            values[name] = value
        if any("\x00" in text for text in ([value] if isinstance(value, str) else value)):
            raise Invalid(f"The parameter {name} contains a NUL character.", fields={name: "contains a NUL character"})
    for name in _moment_fields(type_) & values.keys():
        values[name] = _moment(name, values[name])
    try:
        query = msgspec.convert(values, type_, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(error) from None
    for field in msgspec.structs.fields(type_):
        name, value = field.encode_name, getattr(query, field.name)
        if value is None and name in values:
            raise Invalid(f"The parameter {name} can't be null: leave it out.", fields={name: "can't be null"})
        if isinstance(value, int) and abs(value) > SAFE:
            raise Invalid(f"The parameter {name} is out of range.", fields={name: "out of range"})
    return query


def check_path(req: Request) -> None:
    """Raise for a path that no database can look for."""
    if "\x00" in req.path:
        raise BadEncoding("The address contains a NUL character.")


def invalid(error: msgspec.ValidationError) -> Invalid:
    """A validation error as the field that is wrong and a sentence."""
    found = _AT.match(str(error))
    assert found is not None
    what, path = found["what"], (found["path"] or "").strip(".")
    for pattern, problem in ((_UNKNOWN, "is not known"), (_MISSING, "is missing")):
        if match := pattern.fullmatch(what):
            field = f"{path}.{match['name']}".strip(".")[:100]
            return Invalid(f"The field {field} {problem}.", fields={field: f"This field {problem}."})
    if not path:
        return Invalid(f"{what}.")
    return Invalid(f"{path[:100]}: {what}.", fields={path[:100]: f"{what}."})


@cache
def _decoder(type_: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)


def _moment(name: str, text: str) -> datetime:
    """A moment as RFC 3339 writes it; what converts the other values would also take a number of seconds."""
    try:
        moment = msgspec.convert(text, datetime)
        return moment if moment.tzinfo is None else moment.astimezone(UTC)
    except msgspec.ValidationError as error:
        raise Invalid(f"{name}: {error}.", fields={name: f"{error}."}) from None
    except OverflowError:
        raise Invalid(f"The parameter {name} is out of range.", fields={name: "out of range"}) from None


@cache
def _list_fields(type_: type[msgspec.Struct]) -> frozenset[str]:
    return _fields_of(type_, (list, tuple, set, frozenset))


@cache
def _moment_fields(type_: type[msgspec.Struct]) -> frozenset[str]:
    return _fields_of(type_, (datetime,))


def _fields_of(type_: type[msgspec.Struct], kinds: tuple[type, ...]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(type_) if _is_any(field.type, kinds))


def _is_any(type_: Any, kinds: tuple[type, ...]) -> bool:
    origin = typing.get_origin(type_)
    if origin in (typing.Union, types.UnionType):
        return any(_is_any(part, kinds) for part in typing.get_args(type_))
    if origin is typing.Annotated:
        return _is_any(typing.get_args(type_)[0], kinds)
    return (origin or type_) in kinds


def _check_content_type(req: Request) -> None:
    essence, _, parameters = (req.content_type or "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if essence.strip().lower() != "application/json" or charset not in ("", "utf-8", "utf8"):
        raise UnsupportedType("Send the body as JSON, with the header Content-Type: application/json.")
    if (req.get_header("Content-Encoding") or "identity").strip().lower() != "identity":
        raise UnsupportedType("Send the body as it is, not compressed.")


async def read_bytes(req: Request, limit: int) -> bytes:
    """The whole body, of at most ``limit`` bytes."""
    announced = req.content_length
    if announced is not None and announced > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(READ_SECONDS):
            data: bytes = await req.stream.read(limit + 1)
    except TimeoutError:
        raise TooSlow("The body did not arrive in time.") from None
    if len(data) > limit:
        raise _too_large(limit)
    if announced is not None and len(data) < announced:
        raise Malformed("The body is shorter than its Content-Length.")
    return data


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body may have at most {limit} bytes.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) == len(pairs):
        return built
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise Malformed(f"The body has the key {name[:100]!r} twice in one object.")
        seen.add(name)
    return built


def _integer(text: str) -> int:
    if len(text) > 20 or not -_INT64 <= int(text) < _INT64:
        raise Invalid("The body has an integer that does not fit into 64 bits.")
    return int(text)


def _number(text: str) -> float:
    """A number that is whole is an integer, however it is written: ``2.0`` and ``2e0`` are 2."""
    value = float(text)
    if not math.isfinite(value):
        raise Invalid("The body has a number that is out of range.")
    return int(value) if value.is_integer() and abs(value) <= SAFE else value


def _constant(text: str) -> float:
    raise Malformed(f"{text} is not JSON.")


def _refuse_nul(value: Any) -> None:
    if isinstance(value, str) and "\x00" in value:
        raise Invalid("Text may not contain a NUL character.")
    if isinstance(value, dict):
        for name, item in value.items():
            _refuse_nul(name)
            _refuse_nul(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_nul(item)


def _sentence(error: Exception) -> str:
    return str(error).rstrip(".") + "."
