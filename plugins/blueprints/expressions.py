"""Regular expressions that blueprints bring along: bounded in length, time and features.

The ``regex`` package: the dialect of ``re``, which authors know, with a timeout on every match, which ``re`` lacks.
"""

from __future__ import annotations

import regex

from stellar.errors import Invalid

MAX_PATTERN = 512
"""Characters."""
MATCH_SECONDS = 0.05

_RECURSION = regex.compile(r"\(\?(?:R|&|P>|[+-]?\d)")
_BRACE = regex.compile(r"(?<!\\)(?<!\\[pPNx])\{(?!\d*,?\d*\})")
"""An opening brace that begins no repetition: literal ones have to be escaped, the others match approximately."""
_GROUP = regex.compile(r"\$(?:\{(\d{1,2})\}|(\d{1,2}|\$))")


class Expression:
    """One compiled pattern."""

    def __init__(self, pattern: str, *, ignore_case: bool = False) -> None:
        """``Invalid`` when the pattern is too long, broken, or uses recursion or approximate matching.

        Those two eat memory faster than a timeout ends them.
        """
        if not pattern or len(pattern) > MAX_PATTERN:
            raise Invalid(f"A regular expression needs 1 to {MAX_PATTERN} characters.")
        if _RECURSION.search(pattern):
            raise Invalid(f"The regular expression {pattern!r} calls itself, which is not allowed.")
        if _BRACE.search(pattern):
            raise Invalid(f"The regular expression {pattern!r} has a {{ that begins no repetition; write \\{{ for it.")
        try:
            self._compiled = regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)
        except (regex.error, RecursionError, ValueError, OverflowError) as error:
            raise Invalid(f"The regular expression {pattern!r} is broken: {error}.") from error
        self.pattern = pattern

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
