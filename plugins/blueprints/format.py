"""Reading a blueprint: TOML to structs, every mistake answered with the key and what is allowed there."""

from __future__ import annotations

import re
import tomllib
import types
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from stellar.errors import Invalid

from .beside import Beside, Icon, directory, nothing, read_icon, read_script
from .checks import check
from .stops import parse_stop
from .structs import Blueprint

MAX_SOURCE = 256 * 1024
"""Bytes of a blueprint.toml."""
FILE_NAME = "blueprint.toml"
MAX_DEPTH = 16

_TOO_DEEP = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}""")
"""tomllib takes a minute for a key of sixty thousand parts."""
_AT = re.compile(r" - at `\$?\.?([^`]*)`$")
_EXPECTED = re.compile(r"Expected `(.+?)`, got `(.+?)`")
_MISSING = re.compile(r"Object missing required field `(.+?)`")
_WORDS = {
    "str": "text in quotes",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


@dataclass(frozen=True)
class Loaded:
    """A blueprint with what lies beside it. ``blueprint.install.script`` holds the script, from wherever it came.

    ``egg`` is the one that it was imported from, as JSON, ``egg_uuid`` its id; empty for every other.
    """

    blueprint: Blueprint
    source: str
    icon: Icon
    egg: str = ""
    egg_uuid: str = ""


def load(path: Path) -> Loaded:
    """Read a ``blueprint.toml`` (or the directory that holds it) and the files beside it that it names."""
    if path.is_dir():
        path = path / FILE_NAME
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SOURCE + 1)
    except OSError as error:
        raise Invalid(f"{path} can't be read: {error.strerror}.") from error
    return parse(data, directory(path.parent))


def parse(data: bytes, beside: Beside = nothing) -> Loaded:
    """Read a blueprint's text; ``beside`` gives the files that it may name.

    ``Invalid`` has a key's full name (``stop.grace_seconds``, ``variables[0].env``) for each of its ``fields``.
    """
    source, document = _document(data)
    return _checked(source, document, beside, defaults=True)


def parse_document(document: dict[str, Any], beside: Beside = nothing, *, defaults: bool = True) -> Loaded:
    """``parse`` for what has been read from JSON; its ``source`` is TOML of the same meaning.

    Without ``defaults``, a variable's default may break its rules.
    """
    given = _without_nulls(document)
    _checked("", given, beside, defaults=defaults)
    source = _written(given)
    if len(source.encode("utf-8", "replace")) > MAX_SOURCE:
        raise Invalid(f"A blueprint may have at most {MAX_SOURCE // 1024} KiB.")
    return _checked(source, tomllib.loads(source), beside, defaults=defaults)


def _checked(source: str, document: dict[str, Any], beside: Beside, *, defaults: bool) -> Loaded:
    unknown = _unknown_keys(document, Blueprint, "")
    if unknown:
        raise _invalid(unknown)
    try:
        blueprint = msgspec.convert(document, Blueprint)
    except msgspec.ValidationError as error:
        raise _invalid(_explained(str(error))) from error
    problems = check(blueprint, defaults=defaults)
    script = read_script(blueprint.install, beside, problems)
    icon = read_icon(blueprint.icon, beside, problems)
    if problems:
        raise _invalid(problems)
    return Loaded(_resolved(blueprint, script), source, icon)


def _without_nulls(value: Any, depth: int = 0) -> Any:
    """TOML has no null: a key that is null is one that is left out."""
    if depth > MAX_DEPTH:
        raise Invalid("The blueprint is nested too deeply.")
    if isinstance(value, dict):
        return {key: _without_nulls(item, depth + 1) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item, depth + 1) for item in value]
    return value


def _written(document: dict[str, Any]) -> str:
    """A checked document as TOML."""
    import tomlkit

    return tomlkit.dumps(_in_order(document))


def _in_order(value: Any) -> Any:
    """In TOML, a key after a table would belong to that table."""
    if isinstance(value, list):
        return [_in_order(item) for item in value]
    if not isinstance(value, dict):
        return value
    ordered = sorted(value.items(), key=lambda pair: _rank(pair[1]))
    return {key: _in_order(item) for key, item in ordered}


def _rank(value: Any) -> int:
    if isinstance(value, dict):
        return 1
    return 2 if isinstance(value, list) and any(isinstance(item, dict) for item in value) else 0


def _resolved(blueprint: Blueprint, script: str) -> Blueprint:
    stop = blueprint.stop
    if stop.command is not None:
        stop = parse_stop(stop.command, stop.grace_seconds)
    install = msgspec.structs.replace(blueprint.install, script=script, file=None)
    return msgspec.structs.replace(blueprint, install=install, stop=stop)


def _document(data: bytes) -> tuple[str, dict[str, Any]]:
    if len(data) > MAX_SOURCE:
        raise Invalid(f"A blueprint may have at most {MAX_SOURCE // 1024} KiB.")
    try:
        source = data.decode()
    except UnicodeDecodeError as error:
        raise Invalid("A blueprint has to be UTF-8 text.") from error
    if _TOO_DEEP.search(source):
        raise Invalid("A key of the blueprint has too many parts; nest at most a few levels.")
    try:
        return source, tomllib.loads(source)
    except RecursionError as error:
        raise Invalid("The blueprint is nested too deeply.") from error
    except ValueError as error:
        raise Invalid(f"The blueprint is not valid TOML: {error}.") from error


def _invalid(problems: dict[str, str]) -> Invalid:
    key, problem = next(iter(problems.items()))
    more = f" (and {len(problems) - 1} more mistakes)" if len(problems) > 1 else ""
    return Invalid(f"In the blueprint, {key} {problem}{more}.", code="blueprint_invalid", fields=problems)


def _unknown_keys(value: Any, kind: Any, path: str) -> dict[str, str]:
    """Each key that its struct doesn't have, with those that it has."""
    kind = _without_none(kind)
    if get_origin(kind) is list and isinstance(value, list):
        items = [_unknown_keys(item, get_args(kind)[0], f"{path}[{at}]") for at, item in enumerate(value)]
        return {key: problem for item in items for key, problem in item.items()}
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict)):
        return {}
    fields = _hints(kind)
    dot = f"{path}." if path else ""
    allowed = ", ".join(kind.__struct_fields__)
    found = {f"{dot}{key}": f"is not known; allowed here: {allowed}" for key in value if key not in fields}
    for key, item in value.items():
        if key in fields:
            found |= _unknown_keys(item, fields[key], f"{dot}{key}")
    return found


@cache
def _hints(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return get_type_hints(kind)


def _explained(message: str) -> dict[str, str]:
    """msgspec's message, in the words of this format."""
    at = _AT.search(message)
    path = at[1].replace("[...]", "[]") if at else ""
    message = _AT.sub("", message)
    if missing := _MISSING.search(message):
        return {f"{path}.{missing[1]}".lstrip("."): f"is missing; {_allowed(f'{path}.{missing[1]}')} is needed"}
    if wrong := _EXPECTED.search(message):
        got = " or ".join(_WORDS.get(word, word) for word in wrong[2].split(" | "))
        return {path.removesuffix("[]"): f"has to be {_allowed(path)}, not {got}"}
    return {path or "blueprint": f"has to be {_allowed(path)}"}


def _allowed(path: str) -> str:
    """What the key at ``path`` may hold, from its type."""
    kind: Any = Blueprint
    for part in filter(None, re.split(r"\.|\[\d*\]", path)):
        kind = _without_none(kind)
        if get_origin(kind) is list:
            kind = get_args(kind)[0]
        kind = get_type_hints(kind)[part]
    kind = _without_none(kind)
    return _described(get_args(kind)[-1] if path.endswith("]") else kind)


def _described(kind: Any) -> str:
    origin = get_origin(kind)
    if origin is Literal:
        choices = get_args(kind)
        return str(choices[0]) if len(choices) == 1 else f"one of {', '.join(map(str, choices))}"
    if origin in (Union, types.UnionType):
        return " or ".join(_described(choice) for choice in get_args(kind))
    if origin is not None:
        return _WORDS["array" if origin is list else "object"]
    return _WORDS.get(kind.__name__, "a table")


def _without_none(kind: Any) -> Any:
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    choices = [choice for choice in get_args(kind) if choice is not type(None)]
    return choices[0] if len(choices) == 1 else kind
