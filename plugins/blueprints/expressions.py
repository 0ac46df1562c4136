"""Regular expressions that blueprints bring along: bounded in length, time and features.

The ``regex`` package: the dialect of ``re``, which authors know, with a timeout on every match, which ``re`` lacks.
"""

from __future__ import annotations

import regex

from stellar.errors import Invalid

MAX_PATTERN = 4096
"""Characters."""
MAX_UNROLLED = 10_000
"""Parts of a pattern once its ``{n}`` are written out, which is what compiling them does: with memory, not time."""
MATCH_SECONDS = 0.05

_RECURSION = regex.compile(r"\(\?(?:R|&|P>|[+-]?\d)")
_BRACE = regex.compile(r"(?<!\\)(?<!\\[pPNx])\{(?!\d*,?\d*\})")
"""An opening brace that begins no repetition: literal ones have to be escaped, the others match approximately."""
_GROUP = regex.compile(r"\$(?:\{(\d{1,2})\}|(\d{1,2}|\$))")
_TOKEN = regex.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(\d+)(?:,\d*)?\}|.", regex.DOTALL)


class Expression:
    """One compiled pattern."""

    def __init__(self, pattern: str, *, flags: int = 0, written: str | None = None) -> None:
        """``Invalid`` when the pattern is too long, broken, or uses recursion or approximate matching.

        Those two eat memory faster than a timeout ends them. ``flags`` are those of ``regex``; ``written`` is the
        pattern as its author wrote it, for messages.
        """
        self.pattern = pattern if written is None else written
        shown = f"{self.pattern[:200]!r}"
        if not pattern or len(pattern) > MAX_PATTERN:
            raise Invalid(f"A regular expression needs 1 to {MAX_PATTERN} characters.")
        if _RECURSION.search(pattern):
            raise Invalid(f"The regular expression {shown} calls itself, which is not allowed.")
        if _BRACE.search(pattern):
            raise Invalid(f"The regular expression {shown} has a {{ that begins no repetition; write \\{{ for it.")
        if _unrolled(pattern) > MAX_UNROLLED:
            raise Invalid(f"The regular expression {shown} repeats repetitions too often.")
        try:
            # Its own cache keeps five hundred, of whatever size.
            self._compiled = regex.compile(pattern, flags, cache_pattern=False)
        except (regex.error, RecursionError, ValueError, OverflowError, MemoryError) as error:
            raise Invalid(f"The regular expression {shown} is broken: {error}.") from error

    def search(self, text: str, seconds: float = MATCH_SECONDS) -> bool:
        """Whether it matches anywhere in ``text``; ``TimeoutError`` when that takes longer than ``seconds``."""
        return self._compiled.search(text, timeout=seconds) is not None

    def replace(self, template: str, text: str, seconds: float = MATCH_SECONDS) -> str | None:
        """``text`` with every match replaced by ``template``, None without one; ``TimeoutError`` as in ``search``.

        In the template ``$1`` (or ``${1}``) is what a group matched, nothing where it matched nothing or isn't there,
        and ``$$`` is a dollar sign.
        """

        def filled(found: regex.Match[str]) -> str:
            return _GROUP.sub(lambda wanted: _group(found, wanted[1] or wanted[2]), template)

        replaced, count = self._compiled.subn(filled, text, timeout=seconds)
        return replaced if count else None


def _group(found: regex.Match[str], number: str) -> str:
    if number == "$":
        return "$"
    return (found[int(number)] or "") if int(number) < len(found.regs) else ""


def _unrolled(pattern: str) -> int:
    """How many parts a pattern has when every ``{n}`` is written out."""
    groups = [0]
    last = 0
    for token in _TOKEN.finditer(pattern):
        if token[0] == "(":
            groups.append(0)
        elif token[0] == ")" and len(groups) > 1:
            last = groups.pop()
            groups[-1] += last
        elif token[1] is not None:
            added = last * (int(token[1][:9]) - 1)
            groups[-1] += max(added, 0)
            last += max(added, 0)
        else:
            groups[-1] += 1
            last = 1
        if groups[-1] > MAX_UNROLLED:
            break
    return max(groups)
