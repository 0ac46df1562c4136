"""Comparing versions, and saying which there are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import NoReturn

from .console import fail

_EARLY = re.compile(r"(?i)alpha|beta|pre|rc|snapshot|^\d\dw\d")


def is_early(version: str) -> bool:
    """Whether it is a preview of another version."""
    return _EARLY.search(version) is not None


def order(version: str) -> tuple[tuple[int, ...], bool, tuple[int, ...]]:
    """A key to sort versions by: by number, and a preview before what it is a preview of."""
    main, _, rest = version.partition("-")
    return _numbers(main), not is_early(version), _numbers(rest)


def newest(versions: Iterable[str]) -> str | None:
    """The newest of them that isn't a preview, else the newest preview; None without any."""
    return max(versions, key=lambda version: (not is_early(version), order(version)), default=None)


def no_such(what: str, version: str, latest: str | None, known: Sequence[str] = ()) -> NoReturn:
    """End the install because there is no such version; names what there is instead."""
    close = [found for found in difflib.get_close_matches(version, known, n=3, cutoff=0.6) if found != latest]
    also = f" Did you mean {' or '.join(close)}?" if close else ""
    there = f"; the latest is {latest}" if latest else ""
    fail(f"There is no {what} {version}{there}.{also}")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))
