"""Patching JSON, YAML and TOML: values at a dotted path, all else as it was. Raises what the parsers raise."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator, Mapping, MutableMapping, MutableSequence
from typing import Any, Final

from ..spec import Scalar
from .patch_values import Change, Value, split_key

_AMBIGUOUS: Final = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|~|[-+.0-9][-+.:_0-9a-fox]*")
"""Text that a YAML 1.1 parser (most games have one) reads as something else without quotes."""
_BREAKS: Final = re.compile(r"[\r\x85\u2028\u2029\ufeff]")
"""Ends of lines, to YAML."""

EVERY: Final = "*"
Part = str | int
"""A step of a path: a key, or the number of a list's entry."""

_BRACKET: Final = re.compile(r"\[(\d{1,6}|\*)\]")
_BRACKETS: Final = re.compile(r"(.*?)((?:\[(?:\d{1,6}|\*)\])*)", re.DOTALL)


def edit_json(text: str, values: Mapping[str, Change]) -> tuple[str, list[str]]:
    """The indentation is kept; a file on one line stays on one line."""
    tree = json.loads(text) if text.strip() else {}
    changed, problems = _set_all(tree, values)
    if not changed:
        return text, problems
    indented = re.search(r'\n([ \t]+)["{\[\]}\w-]', text)
    compact = bool(text.strip()) and "\n" not in text.strip()
    separators = (",", ":") if compact and '": ' not in text else (", " if compact else ",", ": ")
    escaped = "\\u" in text and text.isascii()
    indent = None if compact else indented[1] if indented else "  "
    result = json.dumps(tree, indent=indent, separators=separators, ensure_ascii=escaped, allow_nan=False)
    newline = "\r\n" if "\r\n" in text else "\n"
    return result.replace("\n", newline) + (newline if text.endswith("\n") or not text else ""), problems


def edit_yaml(text: str, values: Mapping[str, Change]) -> tuple[str, list[str]]:
    """Comments, quotes and indentation are kept."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, ScalarString

    def as_written(old: object, new: Scalar) -> object:
        if not isinstance(new, str):
            return new
        if _BREAKS.search(new):
            return DoubleQuotedScalarString(new)
        if isinstance(old, ScalarString) and "\n" not in old:
            return type(old)(new)
        return DoubleQuotedScalarString(new) if _AMBIGUOUS.fullmatch(new) else new

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = len(text) + 4096
    mapping, offset = _yaml_indent(text)
    yaml.indent(mapping=mapping, sequence=offset + 2, offset=offset)
    head, body = _yaml_head(text)
    try:
        tree = yaml.load(body)
    except MarkedYAMLError as error:
        if error.problem_mark is not None:
            error.problem_mark.line += head.count("\n")
        raise
    if tree is None:
        tree = CommentedMap()
        head = text if text.endswith("\n") or not text else f"{text}\n"
    changed, problems = _set_all(tree, values, as_written)
    if not changed:
        return text, problems
    out = io.StringIO()
    yaml.dump(tree, out)
    return head + out.getvalue().replace("\n", "\r\n" if "\r\n" in text else "\n"), problems


def _yaml_head(text: str) -> tuple[str, str]:
    """The comments up to the mark of the document's start, which the parser would drop; and the rest."""
    found = re.match(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*---[ \t]*\r?\n", text)
    return (text[: found.end()], text[found.end() :]) if found else ("", text)


def edit_toml(text: str, values: Mapping[str, Change]) -> tuple[str, list[str]]:
    """Comments and spacing are kept."""
    import tomlkit

    tree = tomlkit.parse(text)
    changed, problems = _set_all(tree, values)
    return tomlkit.dumps(tree) if changed else text, problems


def _yaml_indent(text: str) -> tuple[int, int]:
    """By how much a file indents mappings, and the dashes of lists."""
    mapping, offset = 2, 0
    before = ""
    for line in text.splitlines():
        bare = line.lstrip(" ")
        if not bare or bare.startswith("#"):
            continue
        deeper = len(line) - len(bare) - (len(before) - len(before.lstrip(" ")))
        if before.rstrip().endswith(":") and not before.lstrip().startswith("-"):
            if bare.startswith("- "):
                return mapping, max(deeper, 0)
            if deeper > 0:
                mapping = deeper
        before = line
    return mapping, offset


def _plain(_old: object, new: Scalar) -> object:
    return new


def _set_all(tree: Any, values: Mapping[str, Change], as_written: Any = _plain) -> tuple[bool, list[str]]:
    """Make each change; says whether anything changed, and which couldn't be made."""
    if not isinstance(tree, MutableMapping | MutableSequence):
        raise ValueError("not a mapping")
    changed = False
    problems = []
    for key, change in values.items():
        try:
            for node, index in list(_places(tree, _path(key), "", create=isinstance(change, Value))):
                changed |= _set(node, index, change, as_written)
        except LookupError as error:
            problems.append(f"“{key}” can't be set, because {error.args[0]}.")
    return changed, problems


def _path(key: str) -> list[Part]:
    """The steps to a place: ``a.b`` and ``a.0``; ``a[0]`` is a list's entry for sure, ``*`` every entry."""
    path: list[Part] = []
    for level in split_key(key):
        name, brackets = _BRACKETS.fullmatch(level).groups()  # type: ignore[union-attr]  # it matches any text
        path += [name] if name or not brackets else []
        path += [EVERY if step == EVERY else int(step) for step in _BRACKET.findall(brackets)]
    return path


def _places(node: Any, path: list[Part], before: str, *, create: bool) -> Iterator[tuple[Any, Any]]:
    """Where a path leads: containers and indices in them; what is missing on the way is made, or leads nowhere."""
    if not isinstance(node, MutableMapping | MutableSequence):
        raise LookupError(f"“{before}” holds a plain value")
    part, *rest = path
    if part == EVERY:
        for index in list(node) if isinstance(node, MutableMapping) else range(len(node)):
            if not rest:
                yield node, index
            else:
                with contextlib.suppress(LookupError):
                    yield from _places(node[index], rest, "", create=create)
        return
    index = _index(node, part)
    if not rest:
        yield node, index
        return
    if _at(node, index) is None:
        if not create:
            return
        _put(node, index, [] if isinstance(rest[0], int) else {})
    yield from _places(node[index], rest, f"{before}.{part}".lstrip("."), create=create)


def _set(node: Any, index: Any, change: Change, as_written: Any) -> bool:
    old = _at(node, index)
    if isinstance(old, MutableMapping | MutableSequence):
        raise LookupError("there is a whole group of values")
    value = change.over(old)
    if value is None:
        return False
    new = value.typed(old)
    if old == new and isinstance(old, bool) == isinstance(new, bool):
        return False
    _put(node, index, as_written(old, new))
    return True


def _at(node: Any, index: Any) -> Any:
    if isinstance(node, MutableMapping):
        return node.get(index)
    return node[index] if index < len(node) else None


def _put(node: Any, index: Any, new: Any) -> None:
    if isinstance(node, MutableSequence) and index == len(node):
        node.append(new)
    else:
        node[index] = new


def _index(node: Any, part: Part) -> Any:
    """What ``part`` is in a mapping (YAML's keys may be numbers) or a list, which ``[n]`` may make longer by one."""
    if isinstance(node, MutableMapping):
        name = str(part)
        number = int(name) if name.isdecimal() and len(name) < 10 else None
        return number if number is not None and name not in node and number in node else name
    if isinstance(part, int) and part <= len(node):
        return part
    if isinstance(part, str) and part.isdecimal() and len(part) < 10 and int(part) < len(node):
        return int(part)
    raise LookupError(f"the list has no entry “{part}”")
