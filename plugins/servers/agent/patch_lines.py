"""Patching files line by line: properties, INI, and lines by how they begin. Only the lines concerned change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from .patch_values import Change, Choices, Value, split_key

_SECTION = re.compile(r"\s*\[(.+?)\]\s*(?:[;#].*)?$")
_BRACKETED = re.compile(r"\[([^\]]+)\]\.(.+)", re.DOTALL)
_BLOCK_TEXT = re.compile(r'[^=]*=\s*"""')
_BLOCK_GROUP = re.compile(r"[^=]*=\s*\{$")


class _Text:
    """A file's lines without their ends, which are put back the same."""

    def __init__(self, text: str) -> None:
        self._end = "\r\n" if "\r\n" in text else "\n"
        self._closed = text.endswith("\n") or not text
        self._before = text
        self.lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
        self._lines_before = list(self.lines)

    def joined(self) -> str:
        if self.lines == self._lines_before:
            return self._before
        return self._end.join(self.lines) + (self._end if self._closed else "")


def edit_properties(text: str, values: Mapping[str, Change]) -> tuple[str, list[str]]:
    """Java properties and Luanti's ``name = value``: the value is written as it is, without escapes.

    Continued lines, and Luanti's blocks (three quotes, or braces), count as one entry.
    """
    file = _Text(text)
    wanted, problems = _one_line(values, _swallows)
    patterns = {key: re.compile(rf"(\s*{re.escape(key)})(\s*[=:]\s*|\s+|$)", re.ASCII) for key in wanted}
    style = _style(file.lines)
    lines: list[str] = []
    missing = dict(wanted)
    for entry in _entries(file.lines):
        for key, pattern in patterns.items():
            if not _comment(entry[0], "#!") and (found := pattern.match(entry[0])):
                new = wanted[key].over("\n".join(entry)[found.end() :])
                separator = _separator(found[2], found.end() == len(entry[0]), style)
                lines += entry if new is None else [found[1] + separator + new.text()]
                missing.pop(key, None)
                break
        else:
            lines += entry
    added = _new(missing)
    if added and lines and _continues(lines[-1]):
        lines.append("")
    file.lines = lines + [f"{key}{style}{value}" for key, value in added.items()]
    return file.joined(), problems


def edit_ini(text: str, values: Mapping[str, Change]) -> tuple[str, list[str]]:
    """``section.key``, or ``key`` alone above the first section; with dots of their own ``[section].key``."""
    file = _Text(text)
    wanted, problems = _one_line(values)
    for path, change in wanted.items():
        _set_ini(file.lines, *_ini_place(path), change)
    return file.joined(), problems


def edit_lines(text: str, values: Mapping[str, Change]) -> tuple[str, list[str]]:
    """Replace each line that begins with the key by the value; an old value is what follows the key in its line."""
    file = _Text(text)
    wanted, problems = _one_line(values)
    for key, change in wanted.items():
        if not any(line.startswith(key) for line in file.lines):
            problems.append(f"no line begins with “{key}”.")
        file.lines = [_line(line, key, change) if line.startswith(key) else line for line in file.lines]
    return file.joined(), problems


def _line(line: str, key: str, change: Change) -> str:
    new = change.over(line[len(key) :].lstrip(" \t=:"))
    return line if new is None else new.text()


def _one_line(
    values: Mapping[str, Change], refused: Callable[[str], bool] = lambda text: False
) -> tuple[dict[str, Change], list[str]]:
    """The changes without those that would add lines of their own, or swallow others (``refused``)."""
    wanted = {}
    problems = []
    for key, change in values.items():
        texts = [one.text() for one in (change.options.values() if isinstance(change, Choices) else [change])]
        if any(ord(character) < 32 and character != "\t" for text in (key, *texts) for character in text):
            problems.append(f"“{key}” was left as it is: its value holds a line break or control character.")
        elif any(map(refused, texts)):
            problems.append(f"“{key}” was left as it is: its value would swallow the lines after it.")
        else:
            wanted[key] = change
    return wanted, problems


def _swallows(value: str) -> bool:
    return _continues(value) or value == "{" or value.startswith('"""')


def _new(missing: Mapping[str, Change]) -> dict[str, str]:
    """What to add for the keys that a file doesn't have."""
    return {key: change.text() for key, change in missing.items() if isinstance(change, Value)}


def _comment(line: str, marks: str) -> bool:
    bare = line.lstrip()
    return not bare or bare[0] in marks


def _style(lines: list[str]) -> str:
    """How the file writes its equals signs."""
    for line in lines:
        if _comment(line, "#!;[") or "=" not in line:
            continue
        key, _, value = line.partition("=")
        after = value[: len(value) - len(value.lstrip())]
        return f"{key[len(key.rstrip()) :]}={after if value.strip() else key[len(key.rstrip()) :]}"
    return "="


def _separator(found: str, empty: bool, style: str) -> str:
    """The separator to write where ``found`` was read; with an ``empty`` value its right half may be missing."""
    if not found.strip():
        return style if empty else found
    return f"{found.rstrip()} " if empty and found[0].isspace() else found


def _entries(lines: list[str]) -> Iterator[list[str]]:
    groups = _groups(lines)
    start = 0
    while start < len(lines):
        end = groups.get(start) or _entry_end(lines, start)
        yield lines[start:end]
        start = end


def _entry_end(lines: list[str], start: int) -> int:
    """Where the entry that begins at ``start`` ends; a text that is never closed is a line like any other."""
    line = lines[start]
    if _comment(line, "#!"):
        return start + 1
    if (opened := _BLOCK_TEXT.match(line)) and '"""' not in line[opened.end() :]:
        return next((at + 1 for at in range(start + 1, len(lines)) if '"""' in lines[at]), start + 1)
    end = start
    while end < len(lines) - 1 and _continues(lines[end]):
        end += 1
    return end + 1


def _continues(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _groups(lines: list[str]) -> dict[int, int]:
    """Where each group in braces ends, by the line that opens it."""
    ends = {}
    opened = []
    for at, line in enumerate(lines):
        if not _comment(line, "#!") and _BLOCK_GROUP.match(line.rstrip()):
            opened.append(at)
        elif line.strip() == "}" and opened:
            ends[opened.pop()] = at + 1
    return ends


def _ini_place(path: str) -> tuple[str, str]:
    """The section and the key that a path names."""
    if found := _BRACKETED.fullmatch(path):
        return found[1], found[2]
    *section, key = split_key(path)
    return ".".join(section), key


def _set_ini(lines: list[str], section: str, key: str, change: Change) -> None:
    pattern = re.compile(rf"[ \t]*{re.escape(key)}[ \t]*[=:][ \t]*", re.IGNORECASE)
    spans = _section_spans(lines, section)
    found = False
    for at in (at for span in spans for at in span):
        if not _comment(lines[at], ";#") and (before := pattern.match(lines[at])):
            lines[at] = before[0] + _ini_value(lines[at][before.end() :], change)
            found = True
    if found or not isinstance(change, Value):
        return
    new = f"{key}{_style(lines)}{change.text()}"
    if not spans:
        lines += [*([""] if lines and lines[-1].strip() else []), f"[{section}]", new]
        return
    at = spans[0].stop
    while at > spans[0].start and not lines[at - 1].strip():
        at -= 1
    lines.insert(at, new)


def _ini_value(rest: str, change: Change) -> str:
    """The rest of a line with the new value: a comment after it stays, and quotes around it."""
    comment = _inline_comment(rest)
    old = rest.removesuffix(comment).rstrip() if comment else rest.rstrip()
    quoted = len(old) > 1 and old[0] == old[-1] == '"'
    new = change.over(old[1:-1] if quoted else old)
    if new is None:
        return rest
    text = new.text()
    return (f'"{text}"' if quoted and '"' not in text else text) + comment


def _section_spans(lines: list[str], section: str) -> list[range]:
    """The lines of every section of that name (without its header); without a name, those above all sections."""
    headers = [(at, found[1].strip().casefold()) for at, line in enumerate(lines) if (found := _SECTION.match(line))]
    starts = [(-1, ""), *headers]
    ends = [at for at, _ in headers] + [len(lines)]
    return [range(at + 1, end) for (at, name), end in zip(starts, ends, strict=True) if name == section.casefold()]


def _inline_comment(rest: str) -> str:
    """A comment after a value (and quotes, which may hold a semicolon), with the space before it."""
    start = rest.find('"', 1) if rest.startswith('"') else 0
    mark = re.compile(r"\s;").search(rest, max(start, 0))
    return rest[len(rest[: mark.start()].rstrip()) :] if mark else ""
