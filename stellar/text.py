"""Names and notes as they are kept: nothing that can't be seen, and nothing that shows otherwise than it reads."""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories: control, format (such as those that reverse the reading order), characters that nobody has
defined, surrogates, line separators."""

_JOINERS = frozenset("\u200c\u200d")
"""Format characters that Persian words and composed emoji need."""

_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs that look like nothing."""

MAX_MARKS = 8
"""Combining marks in a row; more are no language, but drip over what is above and below."""


def tidy(text: str, *, lines: bool = False) -> str | None:
    """``text`` composed and trimmed; None when it isn't fit to be shown. ``lines``: it may have line breaks and tabs.

    An empty text is fit; see ``shows``.
    """
    tidied = unicodedata.normalize("NFC", text).strip()
    if lines:
        tidied = tidied.replace("\r\n", "\n")
    marks = 0
    for position, character in enumerate(tidied):
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > MAX_MARKS or (category in _UNSEEN and not _fits(tidied, position, lines=lines)):
            return None
    return tidied


def shows(text: str) -> bool:
    """Whether there is anything to see in a text."""
    return any(unicodedata.category(one)[0] in "LNPS" and one not in _BLANK for one in text)


def _fits(text: str, position: int, *, lines: bool) -> bool:
    character = text[position]
    if character in _JOINERS:
        return 0 < position < len(text) - 1 and text[position - 1] not in _JOINERS and not text[position - 1].isspace()
    return lines and character in "\n\t"
