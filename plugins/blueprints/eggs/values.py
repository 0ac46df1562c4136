"""Values of eggs, taken as liberally as the panels do that eggs are written for."""

from __future__ import annotations

import json
from typing import Any

from .report import Report


def text(value: Any) -> str:
    """A value as PHP would print it: nothing for null, ``1`` for true and 1.0."""
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) else json.dumps(value, ensure_ascii=False)


def truth(value: Any) -> bool:
    """Whether a value means yes."""
    return value.strip().lower() in ("1", "true", "yes", "on") if isinstance(value, str) else bool(value)


def mapping(value: Any) -> dict[str, Any]:
    """A value as a table: PHP writes an empty one as a list, and a list is a table of numbers."""
    if isinstance(value, list):
        return {str(at): item for at, item in enumerate(value)}
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """A value as a list: of a table's values, of one text, or empty."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value
    return [value] if value not in (None, "", False) else []


def embedded(value: Any, path: str, report: Report) -> Any:
    """What JSON inside a text says; a table or list is it already. Broken JSON is noted and nothing."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    from .reading import read_json

    try:
        return read_json(value)
    except ValueError as error:
        report.add(path, f"was left out: it is not valid JSON ({error})")
        return None


def clean(value: Any, path: str, report: Report, *, most: int = 0, multiline: bool = False) -> str:
    """A text without what no text here may hold: control characters, and what is longer than ``most`` characters."""
    given = text(value).replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(filter(_allowed, given))
    if len(kept) < len(given):
        report.add(path, "lost its control characters")
    if not multiline:
        kept = kept.replace("\n", " ").replace("\t", " ")
    if most and len(kept) > most:
        report.add(path, f"was cut to {most} characters, it has {len(kept)}")
        kept = kept[:most]
    return kept


def _allowed(character: str) -> bool:
    code = ord(character)
    return character in "\n\t" or not (code < 32 or 127 <= code < 160 or 0xD800 <= code < 0xE000)
