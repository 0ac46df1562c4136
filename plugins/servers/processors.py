"""Lists of processors such as ``0-1,3``, as the kernel reads and writes them; pure, runs on nodes too."""

from __future__ import annotations

from collections.abc import Collection

from stellar.errors import Conflict

MOST = 4096


def parse_processors(text: str) -> list[int] | None:
    """The processors that a list names, none for an empty one; None for what is no list."""
    found: list[int] = []
    for part in text.split(",") if text else []:
        first, dash, last = part.partition("-")
        ends = [first, last] if dash else [first]
        if not all(end.isascii() and end.isdigit() and len(end) <= 4 for end in ends):
            return None
        if int(ends[0]) > int(ends[-1]) or int(ends[-1]) >= MOST:
            return None
        found += range(int(ends[0]), int(ends[-1]) + 1)
    return found


def check_processors(wanted: str, there: Collection[int]) -> None:
    """``Conflict`` for a processor that the machine doesn't have."""
    missing = sorted(set(parse_processors(wanted) or ()) - set(there))
    if missing:
        known = ", ".join(map(str, sorted(there)))
        message = f"This node has no processor {missing[0]} (it has {known}); pin the server to others."
        raise Conflict(message, code="no_processor")
