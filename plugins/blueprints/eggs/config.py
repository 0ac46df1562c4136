"""What an egg says of config files, of when its server runs, and of how it is stopped."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from stellar.errors import Invalid

from ..checks import MAX_COMMAND, MAX_ITEMS, MAX_STOP, MAX_VALUES, is_key, path_problem
from ..patterns import MAX_PATTERNS, REGEX_PREFIX, compile_done, plain
from ..pcre import translate
from ..stops import parse_stop, stop_problem
from .placeholders import in_config
from .report import Report
from .values import clean, embedded, listing, mapping, text

GRACE_SECONDS = 120
"""Eggs don't say how long a server may take to stop; a large world takes its time to be saved."""

_TREES = frozenset({"json", "yaml", "toml"})
"""Parsers whose keys are paths."""

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_PARSERS = {
    **{name: name for name in ("properties", "ini", "json", "yaml", "toml", "xml", "file")},
    "yml": "yaml",
    "cfg": "file",
    "conf": "file",
    "txt": "file",
    "text": "file",
}


def read_files(given: Any, names: Mapping[str, str], report: Report) -> list[dict[str, Any]]:
    """The config files to set values in, by ``config.files``."""
    patches: list[dict[str, Any]] = []
    for name, about in mapping(embedded(given, "config.files", report)).items():
        path = f"config.files.{name}"
        if not isinstance(about, dict):
            report.add(path, "was left out: it is not a table")
            continue
        file = re.sub(r"^(?:\./|/)+", "", name.strip())
        parser = _PARSERS.get(text(about.get("parser")).strip().lower())
        if (problem := path_problem(file)) is not None:
            report.add(path, f"was left out: it {problem}")
            continue
        if parser is None:
            report.add(path, f"was left out: there is no parser {text(about.get('parser'))[:40]!r}")
            continue
        for key in about.keys() - {"parser", "find"}:
            report.add(f"{path}.{key}", "has no meaning here")
        if not isinstance(about.get("find"), (dict, list, type(None))):
            report.add(f"{path}.find", "was left out: it is not a table")
        values = _values(about.get("find"), parser, names, f"{path}.find", report)
        values = {key_in(parser, key): value for key, value in values.items()}
        if parser in _TREES:
            values = {key: _number_in(value) for key, value in values.items()}
        if values and len(patches) < MAX_ITEMS:
            patches.append({"file": file, "parser": parser, "values": values})
        elif values:
            report.add(path, f"was left out: there are more than {MAX_ITEMS}")
    return patches


def key_in(parser: str, key: str) -> str:
    """A key as we write it.

    In a path an egg's ``~1`` is a dot, its ``~0`` a tilde. An INI section ends at its first dot, with us at the last.
    """
    if parser in _TREES:
        return key.replace("~1", "\\.").replace("~0", "~")
    return _in_brackets(key, key.partition(".")) if parser == "ini" else key


def key_out(parser: str, key: str) -> str:
    """``key_in`` the other way round."""
    if parser in _TREES:
        return key.replace("~", "~0").replace("\\.", "~1")
    return _in_brackets(key, key.rpartition(".")) if parser == "ini" else key


def _in_brackets(key: str, parts: tuple[str, str, str]) -> str:
    """A key of an INI file with its section marked, where its dots alone don't tell which that is."""
    section, _, name = parts
    return f"[{section}].{name}" if key.count(".") > 1 and not key.startswith("[") else key


def _number_in(value: Any) -> Any:
    """In an egg a whole number is one also when it is written as text."""
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value


def _values(given: Any, parser: str, names: Mapping[str, str], path: str, report: Report) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in mapping(given).items():
        inner = f"{path}.{key}"
        if not is_key(parser, key):
            report.add(inner, "was left out: its name is empty or has control characters")
        elif len(values) == MAX_VALUES:
            report.add(inner, f"was left out: there are more than {MAX_VALUES}")
        elif isinstance(value, dict):
            table = {old: new for old, one in value.items() if (new := _value(one, names, inner, report)) is not None}
            if table:
                values[key] = table
        elif (new := _value(value, names, inner, report)) is not None:
            values[key] = new
    return values


def _value(value: Any, names: Mapping[str, str], path: str, report: Report) -> Any:
    """A value with our placeholders, None for one that can't be expressed."""
    if isinstance(value, (dict, list)):
        report.add(path, "was left out: a list or a table in a table can't be set")
        return None
    if isinstance(value, (bool, int, float)):
        if math.isfinite(value) and abs(value) < 2**63:
            return value
        report.add(path, "was left out: its number is too large")
        return None
    return in_config(clean(value, path, report, most=MAX_COMMAND, multiline=True), names, path, report)


def read_done(given: Any, report: Report) -> list[str]:
    """The done-patterns, by ``config.startup``."""
    about = embedded(given, "config.startup", report)
    if not isinstance(about, (dict, list)):
        if about not in (None, ""):
            report.add("config.startup", "was left out: it is not a table")
        return []
    table = mapping(about)
    for key, value in table.items():
        if key not in ("done", "strip_ansi") and value not in (None, "", [], {}, False):
            report.add(f"config.startup.{key}", "has no meaning here")
    kept: list[str] = []
    for value in listing(table.get("done")):
        pattern = _pattern(text(value))
        try:
            if pattern:
                compile_done([pattern])
        except Invalid as error:
            report.add("config.startup.done", f"{pattern[:80]!r} was left out: {error.message}")
            continue
        if pattern and len(kept) < MAX_PATTERNS:
            kept.append(pattern)
        elif pattern:
            report.add("config.startup.done", f"has more than {MAX_PATTERNS} patterns")
    return kept


def _pattern(written: str) -> str:
    """A regular expression is taken as it is where it can be, else from the dialect of eggs."""
    written = written.replace("\r\n", "\n").strip("\n")
    if not written.startswith(REGEX_PREFIX):
        # One that was copied from a raw console: it is looked for in output that has lost its escape sequences.
        return plain(written) if "\x1b" in written else written
    try:
        compile_done([written])
        return written
    except Invalid:
        try:
            return REGEX_PREFIX + translate(written.removeprefix(REGEX_PREFIX))
        except Invalid:
            return written


def read_stop(given: Any, report: Report) -> dict[str, Any]:
    """How to stop, by ``config.stop``: see ``parse_stop``."""
    written = clean(given, "config.stop", report, multiline=True).strip()
    if not written:
        report.add("config.stop", "is empty: SIGTERM is sent")
        return {"signal": "SIGTERM", "grace_seconds": GRACE_SECONDS}
    if len(written) > MAX_STOP:
        raise Invalid(f"The egg's config.stop has more than {MAX_STOP} characters.", code="blueprint_invalid")
    if stop_problem(written) is not None:
        report.add("config.stop", f"{written[:40]!r} names no signal that is known here: SIGTERM is sent")
    stop = parse_stop(written.replace("\n", "; "), GRACE_SECONDS)
    chosen = {"signal": stop.signal} if stop.signal else {"command": stop.command}
    return {**chosen, "grace_seconds": GRACE_SECONDS}
