"""What commands print: a table for people, JSON for scripts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

GAP = "  "


def print_json(value: Any) -> None:
    """Print one JSON document, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def print_done(as_json: bool, value: Any, sentence: str) -> None:
    """Print what a command has made or changed as JSON, or that it has in a sentence."""
    if as_json:
        print_json(value)
    else:
        click.echo(sentence)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]], empty: str = "") -> None:
    """Print rows below headings, as wide as they need; without rows only the sentence ``empty``."""
    lines = [[cell(value) for value in row] for row in rows]
    if not lines:
        click.echo(empty, err=True)
        return
    widths = [max(_width(line[column]) for line in (headings, *lines)) for column in range(len(headings))]
    click.echo(click.style(_line(headings, widths), bold=True))
    for line in lines:
        click.echo(_line(line, widths))


def print_pairs(pairs: Iterable[tuple[str, Any]]) -> None:
    """Print one thing's values, a line each."""
    lines = [(name, cell(value)) for name, value in pairs]
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        click.echo(f"{name:<{width}}{GAP}{value}".rstrip())


def cell(value: Any) -> str:
    """A value as text of one line; what would move the cursor is left out."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return "".join(character for character in str(value) if unicodedata.category(character) not in ("Cc", "Cf", "Cs"))


def _line(values: Sequence[str], widths: Sequence[int]) -> str:
    padded = (value + " " * (width - _width(value)) for value, width in zip(values, widths, strict=True))
    return GAP.join(padded).rstrip()


def _width(text: str) -> int:
    """Columns of a terminal."""
    shown = [character for character in text if unicodedata.category(character) not in ("Mn", "Me")]
    return len(shown) + sum(unicodedata.east_asian_width(character) in "WF" for character in shown)
