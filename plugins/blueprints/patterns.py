"""Done-patterns: telling from a server's raw terminal output that it runs.

Runs on nodes, on every byte that a starting server prints, so it is bounded in memory and time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stellar.errors import Invalid

if TYPE_CHECKING:
    from .expressions import Expression

REGEX_PREFIX = "regex:"
MAX_PATTERNS = 16
MAX_LITERAL = 512
MAX_LINE = 8192
"""Bytes of an unfinished line that are kept; of a longer one only the last ones count."""
MAX_ESCAPE = 4096
"""Bytes; an escape sequence that is still unfinished then is taken for text."""
FEED_SECONDS = 0.2
"""For one regular expression and one ``feed``."""
MATCH_SECONDS = 0.05
MAX_TIMEOUTS = 3
"""A regular expression that has run out of time so often is given up."""

_STRING = rb"[\]PX^_]"
"""What begins an escape sequence that holds text (a window title and the like) up to BEL or ESC \\."""
_ESCAPE = re.compile(
    rb"\x1b(?:"
    rb"\[([0-?]*)[ -/]*([@-~])"
    rb"|" + _STRING + rb"[^\x07\x1b]*(?:\x07|\x1b\\)"
    rb"|[ -/]+[0-~]"
    rb"|([0-Z\\^-~])"
    rb")"
)
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|" + _STRING + rb"[^\x07\x1b]*\x1b?|[ -/]*)\Z")
_SEPARATORS = re.compile(rb"[\r\n\x08\x0b\x0c\x00]+")
_CONTROLS = re.compile(rb"[\x01-\x07\x0e-\x1f\x7f]")

_WITHOUT_MOVEMENT = b"mhlnqctpKX"
"""Final bytes of sequences that move no cursor: colours, modes, reports, erasing."""
_FORWARD = b"C"
_CURSOR_ESCAPES = b"78DEMc"


class PlainText:
    """Turns a server's output, fed piece by piece, into lines without control codes.

    Colours vanish, cursor movements end a line (full-screen programs print no line feeds).
    """

    def __init__(self) -> None:
        self._escape = b""
        self._line = b""

    def feed(self, data: bytes) -> bytes:
        """The line that isn't finished yet, from its beginning, with everything that follows it now."""
        text = self._line + self._plain(data)
        self._line = text[text.rfind(b"\n") + 1 :][-MAX_LINE:]
        return text

    def _plain(self, data: bytes) -> bytes:
        data = self._escape + data
        self._escape = b""
        if (unfinished := _UNFINISHED.search(data)) and len(data) - unfinished.start() <= MAX_ESCAPE:
            self._escape = data[unfinished.start() :]
            data = data[: unfinished.start()]
        return _CONTROLS.sub(b"", _SEPARATORS.sub(b"\n", _ESCAPE.sub(_replacement, data)))


class DoneMatcher:
    """Fed a server's output piece by piece. How it is cut into pieces doesn't matter."""

    def __init__(self, literals: Sequence[bytes], expressions: Sequence[Expression]) -> None:
        self._literals = tuple(literals)
        self._expressions = list(expressions)
        self._timeouts: dict[str, int] = {}
        self._text = PlainText()

    def feed(self, data: bytes) -> bool:
        """Whether a pattern matches within one line of the output so far, even one that isn't finished yet."""
        text = self._text.feed(data)
        return any(literal in text for literal in self._literals) or self._search(text.split(b"\n"))

    def _search(self, lines: list[bytes]) -> bool:
        for expression in tuple(self._expressions):
            try:
                if _matches(expression, lines):
                    return True
            except TimeoutError:
                self._timed_out(expression)
        return False

    def _timed_out(self, expression: Expression) -> None:
        count = self._timeouts[expression.pattern] = self._timeouts.get(expression.pattern, 0) + 1
        if count >= MAX_TIMEOUTS:
            self._expressions.remove(expression)


def compile_done(patterns: Sequence[str]) -> DoneMatcher:
    """A matcher for any of ``patterns``: literal text, or ``regex:`` and a regular expression.

    ``Invalid`` names the pattern that is empty, too long or broken.
    """
    if len(patterns) > MAX_PATTERNS:
        raise Invalid(f"At most {MAX_PATTERNS} done-patterns are allowed.")
    literals: list[bytes] = []
    expressions: list[Expression] = []
    for pattern in patterns:
        if pattern.startswith(REGEX_PREFIX):
            # Most blueprints have literal patterns only, and the agent saves the import.
            from .expressions import Expression

            expressions.append(Expression(pattern.removeprefix(REGEX_PREFIX)))
        else:
            literals.append(_literal(pattern))
    return DoneMatcher(literals, expressions)


def _literal(pattern: str) -> bytes:
    if not pattern.strip() or len(pattern) > MAX_LITERAL:
        raise Invalid(f"A done-pattern needs 1 to {MAX_LITERAL} characters.")
    if any(ord(character) < 32 or ord(character) == 127 for character in pattern):
        raise Invalid(f"The done-pattern {pattern!r} may not hold line feeds or other control characters.")
    return pattern.encode("utf-8", "replace")


def _replacement(found: re.Match[bytes]) -> bytes:
    parameters, final, single = found.groups()
    if final is None:
        return b"\n" if single is not None and single in _CURSOR_ESCAPES else b""
    if final == _FORWARD:
        return b" " * min(int(parameters) if parameters.isdigit() and len(parameters) < 4 else 1, 200)
    return b"" if final in _WITHOUT_MOVEMENT else b"\n"


def plain(text: str) -> str:
    """A server's whole output, or the end of one, as lines of text without control codes."""
    return PlainText().feed(text.encode("utf-8", "replace")).decode("utf-8", "replace")


def _matches(expression: Expression, lines: list[bytes]) -> bool:
    deadline = time.monotonic() + FEED_SECONDS
    for line in lines:
        for piece in _pieces(line):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            if expression.search(piece, min(left, MATCH_SECONDS)):
                return True
    return False


def _pieces(line: bytes) -> list[str]:
    if len(line) <= MAX_LINE:
        return [line.decode("utf-8", "replace")] if line else []
    return [line[at : at + MAX_LINE].decode("utf-8", "replace") for at in range(0, len(line), MAX_LINE)]
