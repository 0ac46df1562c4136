"""Config-file patches: a blueprint's values are set in the server's own files before every start.

The rest of a file stays as it is: comments, order, spacing. In JSON, YAML and TOML a value keeps the type that the
file has there; where it has none, a value that is nothing but a placeholder ``{{NAME}}`` becomes a number or true/false
when it reads as one. In keys, ``.`` separates levels (``a.0.b`` and ``a[0].b`` are in a list's first entry, ``a.*.b``
in every one) and ``\\.`` is a dot. A table instead of a value says what becomes of which old value.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from stellar.errors import DomainError, Invalid, NotFound

from ..spec import ConfigPatch, Scalar
from . import patch_lines, patch_trees, patch_xml
from .beneath import Root
from .patch_values import Change, Choices, Value

MAX_SIZE: Final = 10 * 1024 * 1024
"""Bytes of the largest file that is patched."""
MAX_SLOW_SIZE: Final = 256 * 1024
"""Bytes for YAML and TOML, whose parsers are slow enough to delay a start."""

MAX_PARTS: Final = 20_000
"""Lines, colons, commas, brackets and the like of YAML and TOML: each costs a tenth of a millisecond."""
MAX_MERGES: Final = 64
"""``<<`` in YAML, each of which copies a whole mapping."""
MAX_LINES: Final = 100_000
"""Of what is read line by line, for every key."""

Editor = Callable[[str, Mapping[str, Change]], tuple[str, list[str]]]
"""Takes a file's text (empty: a new file) and values; gives the new text and problems. Raises on a broken file."""

_EDITORS: Final[dict[str, Editor]] = {
    "properties": patch_lines.edit_properties,
    "ini": patch_lines.edit_ini,
    "file": patch_lines.edit_lines,
    "json": patch_trees.edit_json,
    "yaml": patch_trees.edit_yaml,
    "toml": patch_trees.edit_toml,
    "xml": patch_xml.edit_xml,
}
_BYTES_AS_THEY_ARE = frozenset({"properties", "ini", "file"})
_SLOW = frozenset({"yaml", "toml"})
_PARTS = re.compile(r"[\n:,.=&*?\[\]{}]|- ")
_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}")

PARSERS: Final = frozenset(_EDITORS)
"""What a patch's ``parser`` may be."""


def apply_patches(root: Path, patches: list[ConfigPatch], values: Mapping[str, str]) -> list[str]:
    """Set the patches' values in files below ``root``; returns what went wrong, a sentence each.

    ``values`` are the only placeholders there are. A file that is broken, too large, not a regular file or
    outside of the root is left as it is. A missing file is made, except for the parser ``file``.
    """
    problems = []
    try:
        with Root(root) as files:
            for patch in patches:
                try:
                    problems += _apply(files, patch, values)
                except DomainError as error:
                    problems.append(f"{patch.file} was left as it is: {error.message}")
    except DomainError as error:
        problems.append(error.message)
    return problems


def _apply(files: Root, patch: ConfigPatch, values: Mapping[str, str]) -> list[str]:
    editor = _EDITORS.get(patch.parser)
    if editor is None:
        return [f"{patch.file} was left as it is: there is no parser “{patch.parser}”, use {_choices()}."]
    try:
        old = files.read(patch.file, MAX_SLOW_SIZE if patch.parser in _SLOW else MAX_SIZE)
    except NotFound:
        if patch.parser == "file":
            raise
        old = b""
    wanted, problems = _rendered(patch, values)
    try:
        text, encoding = _decoded(old, patch.parser)
        _check_parts(text, patch.parser)
        edited, refused = editor(text, wanted)
        new = edited.encode(encoding)
    except (DomainError, TimeoutError) as error:
        why = "a regular expression of the blueprint took too long." if isinstance(error, TimeoutError) else error
        return [*problems, f"{patch.file} was left as it is: {why}"]
    # Third-party parsers raise whatever they like on a file that a game (or its owner) broke.
    except Exception as error:
        return [*problems, f"{patch.file} was left as it is: {_reason(patch.parser, error)}"]
    if new != old:
        parent = str(PurePosixPath(patch.file).parent)
        files.mkdir(parent, exist_ok=True)
        files.write_atomic(patch.file, new)
    return [*problems, *(f"{patch.file}: {problem}" for problem in refused)]


def _check_parts(text: str, parser: str) -> None:
    """``Invalid`` for a file that isn't large, and takes long to read all the same."""
    if parser in _SLOW and (len(_PARTS.findall(text)) > MAX_PARTS or text.count("<<") > MAX_MERGES):
        raise Invalid(f"it has too many parts to be read as {parser.upper()} at every start.")
    if parser in _BYTES_AS_THEY_ARE and text.count("\n") > MAX_LINES:
        raise Invalid(f"it has more than {MAX_LINES:,} lines.")


def _choices() -> str:
    return ", ".join(sorted(PARSERS))


def _rendered(patch: ConfigPatch, values: Mapping[str, str]) -> tuple[dict[str, Change], list[str]]:
    """The changes with their placeholders filled in, those with an unknown one left out; and the problems."""
    wanted: dict[str, Change] = {}
    problems = []
    for key, template in patch.values.items():
        templates = template if isinstance(template, dict) else {"": template}
        unknown = {name: None for one in templates.values() for name in _names(one) if name not in values}
        if unknown:
            problems.append(f"{patch.file}: “{key}” was left as it is, there is no variable {', '.join(unknown)}.")
            continue
        filled = {old: _filled(one, values) for old, one in templates.items()}
        wanted[key] = Choices(filled) if isinstance(template, dict) else filled[""]
    return wanted, problems


def _names(template: Scalar) -> list[str]:
    return _PLACEHOLDER.findall(template) if isinstance(template, str) else []


def _filled(template: Scalar, values: Mapping[str, str]) -> Value:
    if not isinstance(template, str):
        return Value(template)
    text = _PLACEHOLDER.sub(lambda found: values[found[1]], template)
    return Value(text, free=_PLACEHOLDER.fullmatch(template) is not None)


def _decoded(data: bytes, parser: str) -> tuple[str, str]:
    """A file's text and how to encode it again. Old games' line-wise files may be in any one-byte encoding."""
    encoding = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:
        if parser not in _BYTES_AS_THEY_ARE:
            raise
        return data.decode("latin-1"), "latin-1"


def _reason(parser: str, error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "a value has a character that the file's encoding doesn't have; save the file as UTF-8."
    if isinstance(error, UnicodeDecodeError):
        return "it isn't UTF-8 text; save it as UTF-8 or delete it."
    line = getattr(error, "lineno", None) or getattr(error, "line", None)
    mark = getattr(error, "problem_mark", None)
    if mark is not None:
        line = mark.line + 1
    place = f" (line {line})" if isinstance(line, int) else ""
    return f"it isn't valid {parser.upper()}{place}; mend it or delete it."
