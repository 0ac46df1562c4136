"""From bytes to an egg's table: JSON or YAML, bounded, and nothing but plain values comes out of it."""

from __future__ import annotations

import json
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from stellar.errors import Invalid

MAX_EGG = 1024 * 1024
"""Bytes."""
MAX_NODES = 10_000
"""Values in an egg, long texts as several, and those that YAML's aliases repeat counted each time."""
TEXT_NODE = 256
"""Characters of text that count as one more value."""
MAX_DEPTH = 64

VERSIONS = ("PTDL_v1", "PTDL_v2", "PLCN_v1", "PLCN_v2", "PLCN_v3")

_SIGN = re.compile(r"^[ \t]*[\"']?meta[\"']?[ \t]*:", re.MULTILINE)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,38})", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)
_TAGS = {"str", "int", "float", "bool", "null", "map", "seq", "timestamp", "binary"}
_PREFIX = "tag:yaml.org,2002:"


def is_egg(data: bytes, name: str = "") -> bool:
    """Whether it is meant to be an egg, by its name or its look, and not a ``blueprint.toml``."""
    if name.lower().endswith((".json", ".yaml", ".yml")):
        return True
    head = data.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    return head.startswith("{") or _SIGN.search(head) is not None


def read_egg(data: bytes) -> dict[str, Any]:
    """An egg's table; ``Invalid`` says why it isn't one."""
    if len(data) > MAX_EGG:
        raise _refused(f"has more than {MAX_EGG // 1024} KiB")
    try:
        source = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refused("has to be UTF-8 text") from None
    is_json = source.lstrip().startswith(("{", "["))
    try:
        egg = read_json(source) if is_json else read_yaml(source)
    except json.JSONDecodeError as error:
        egg = _flow_yaml(source, str(error))
    except ValueError as error:
        raise _refused(f"is not valid {'JSON' if is_json else 'YAML'}: {error}") from None
    if not isinstance(egg, dict):
        raise _refused("has to be a table with meta, name and so on")
    version = egg["meta"].get("version") if isinstance(egg.get("meta"), dict) else None
    if version not in VERSIONS:
        raise _refused(f"has no known format: meta.version has to be one of {', '.join(VERSIONS)}")
    return egg


def read_json(source: str) -> Any:
    """The value of some JSON; ``ValueError`` with a reason for anything else, or for too much of it."""
    try:
        value = json.loads(source, parse_constant=_constant, strict=False)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _count(value)
    return value


def read_yaml(source: str) -> Any:
    """The value of some YAML, without tags that make objects; ``ValueError`` with a reason."""
    try:
        return _Builder().run(source)
    except MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"{error.problem or error.context}{line}") from None
    except (YAMLError, RecursionError, AttributeError, IndexError, TypeError, AssertionError) as error:
        raise ValueError(str(error)[:200] or "it can't be read") from None


def _flow_yaml(source: str, problem: str) -> Any:
    """YAML may begin with a brace, too; whatever isn't that either is taken for broken JSON."""
    try:
        return read_yaml(source)
    except ValueError:
        raise _refused(f"is not valid JSON: {problem}") from None


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _count(value: Any) -> None:
    """``ValueError`` for more values, or more levels of them, than any egg has."""
    level, left = [value], MAX_NODES
    for _ in range(MAX_DEPTH):
        left -= len(level)
        if left < 0:
            raise ValueError("it holds too many values")
        for found in level:
            if isinstance(found, str):
                _check_text(found)
        inner: list[Any] = []
        for found in level:
            inner += found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
        if not (level := inner):
            return
    raise ValueError("it is nested too deeply")


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half of a character") from None


class _Builder:
    """Values from the events of a YAML parser, counted as they come."""

    def __init__(self) -> None:
        self._left = MAX_NODES
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open: list[tuple[Any, str | None, int]] = []
        self._keys: list[Any] = []
        self._value: Any = None

    def run(self, source: str) -> Any:
        for event in YAML(typ="safe", pure=True).parse(source):
            if isinstance(event, ScalarEvent):
                count = 1 + len(event.value) // TEXT_NODE
                self._spend(count)
                self._put(_scalar(event), event.anchor, count)
            elif isinstance(event, AliasEvent):
                if event.anchor not in self._anchors:
                    raise ValueError(f"the alias *{event.anchor} stands for something that holds it, or for nothing")
                value, count = self._anchors[event.anchor]
                self._spend(count)
                self._put(value, None, count)
            elif isinstance(event, (MappingStartEvent, SequenceStartEvent)):
                self._begin(event)
            elif isinstance(event, CollectionEndEvent):
                value, anchor, left = self._open.pop()
                self._keys.pop()
                self._put(value, anchor, left - self._left)
        return self._value

    def _begin(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        _check_tag(event.tag)
        if len(self._open) >= MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        self._open.append(({} if isinstance(event, MappingStartEvent) else [], event.anchor, self._left))
        self._keys.append(_NO_KEY)
        self._spend(1)

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise ValueError("it holds too many values")

    def _put(self, value: Any, anchor: str | None, count: int) -> None:
        if anchor:
            self._anchors[anchor] = (value, count)
        if not self._open:
            self._value = value
            return
        container = self._open[-1][0]
        if isinstance(container, list):
            container.append(value)
        elif self._keys[-1] is _NO_KEY:
            if isinstance(value, (dict, list)):
                raise ValueError("a key has to be text")
            self._keys[-1] = value
        else:
            _set(container, self._keys[-1], value)
            self._keys[-1] = _NO_KEY


_NO_KEY = object()


def _set(container: dict[str, Any], key: Any, value: Any) -> None:
    merged = value if isinstance(value, list) else [value]
    if key == "<<" and all(isinstance(one, dict) for one in merged):
        for one in merged:
            container.update({name: item for name, item in one.items() if name not in container})
        return
    container["" if key is None else str(key).lower() if isinstance(key, bool) else str(key)] = value


def _scalar(event: ScalarEvent) -> Any:
    tag = _check_tag(event.tag)
    value = str(event.value)
    _check_text(value)
    if tag in {"str", "binary"} or (event.style not in (None, "") and tag is None):
        return value
    if value in ("", "~") or value.lower() == "null":
        return None
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    if _INTEGER.fullmatch(value):
        return int(value)
    return float(value) if _FLOAT.fullmatch(value) and set(value) & set(".eE") else value


def _check_tag(tag: Any) -> str | None:
    """The plain name of one of YAML's own tags; ``ValueError`` for those that would make objects."""
    if tag is None or str(tag) in ("", "None", "!"):
        return "str" if tag is not None and str(tag) == "!" else None
    name = str(tag).removeprefix(_PREFIX).removeprefix("!!")
    if name not in _TAGS:
        raise ValueError(f"the tag {str(tag)[:80]} is not allowed")
    return name


def _refused(problem: str) -> Invalid:
    return Invalid(f"The egg {problem}.", code="blueprint_invalid")
