"""What somebody may have meant who has named something that there isn't."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(named: str, known: Iterable[str]) -> str:
    """A question that names what is like ``named``; empty when nothing is."""
    import difflib

    near = difflib.get_close_matches(named, known, 3, 0.6)
    return f"Did you mean {' or '.join(near)}?" if near else ""
