"""The rules that look at dates: ``date_format:Y-m-d``, ``after:2026-01-31``, ``before:OTHER`` …"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from stellar.errors import Invalid

Check = Callable[[str], str | None]
Relation = Callable[[str, Mapping[str, str]], str | None]

_NO_DATE = "must be a date, such as 2026-01-31"
_LETTERS = {
    "d": "%d",
    "m": "%m",
    "Y": "%Y",
    "y": "%y",
    "H": "%H",
    "h": "%I",
    "i": "%M",
    "s": "%S",
    "j": "%-d",
    "n": "%-m",
    "G": "%-H",
    "g": "%-I",
    "A": "%p",
    "a": "%P",
    "D": "%a",
    "l": "%A",
    "M": "%b",
    "F": "%B",
}
"""PHP's, as ``strftime`` has them."""
_ORDERS: dict[str, tuple[str, Callable[[datetime, datetime], bool]]] = {
    "after": ("after", operator.gt),
    "after_or_equal": ("no earlier than", operator.ge),
    "before": ("before", operator.lt),
    "before_or_equal": ("no later than", operator.le),
    "date_equals": ("exactly", operator.eq),
}
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def date(value: str) -> datetime:
    """The time that a value names, in UTC if it doesn't say otherwise; ``ValueError`` for one that is no date."""
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def is_date(value: str) -> str | None:
    """The check of ``date``."""
    try:
        date(value)
    except ValueError:
        return _NO_DATE
    return None


def date_format(name: str, argument: str, numeric: bool) -> Check:
    """A value that is written in one of these ways, in PHP's letters."""
    formats = [_format(text) for text in argument.split(",")]

    def check(value: str) -> str | None:
        return None if any(_is_written(value, one) for one in formats) else f"must be a date written as {argument}"

    return check


def _format(text: str) -> str:
    parts = re.findall(r"\\?.", text)
    if not parts or "%" in text or any(part.isalpha() and part not in _LETTERS for part in parts):
        raise Invalid(f"The rule date_format needs a format of {' '.join(_LETTERS)}, as in date_format:Y-m-d.")
    return "".join(_LETTERS.get(part, part[-1]) for part in parts)


def _is_written(value: str, form: str) -> bool:
    try:
        found = datetime.strptime(value, form.replace("%-", "%").replace("%P", "%p"))
    except ValueError:
        return False
    return found.strftime(form) == value


def compared(name: str, argument: str) -> Relation:
    """``after:OTHER``, ``before:tomorrow``, ``date_equals:2026-01-31``."""
    bound = argument.strip()
    if is_date(bound) is not None and not _NAME.fullmatch(bound):
        raise Invalid(f"The rule {name} needs a date, today or the name of a variable, as in {name}:2026-01-31.")
    words, fits = _ORDERS[name]

    def relation(value: str, others: Mapping[str, str]) -> str | None:
        if not value:
            return None
        try:
            found = date(value)
        except ValueError:
            return _NO_DATE
        limit = _limit(bound, others)
        return None if limit is None or fits(found, limit) else f"must be {words} {bound}"

    return relation


def _limit(bound: str, others: Mapping[str, str]) -> datetime | None:
    """What a value is compared with; None when it is another variable that holds no date."""
    now = datetime.now(UTC)
    if bound == "now":
        return now
    if bound in _DAYS:
        return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=_DAYS[bound])
    try:
        return date(others.get(bound, bound))
    except ValueError:
        return None


DATES = tuple(_ORDERS)
