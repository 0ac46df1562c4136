"""How templates write sizes, spans and times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from markupsafe import Markup

KIB = 1024
MINUTE, HOUR, DAY = 60, 3600, 86400
LISTED = 5
"""How many things of a list are written out."""


def size(value: float) -> str:
    """A number of bytes: ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < KIB:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}".replace(".0 ", " ")
        value /= KIB
    return f"{value:.1f} TiB".replace(".0 ", " ")


def megabytes(value: int) -> str:
    """A limit in MiB, where 0 means that there is none."""
    return size(value * KIB * KIB) if value else "no limit"


def cores(percent: int) -> str:
    """A CPU limit in percent of one core, where 0 means that there is none."""
    if not percent:
        return "no limit"
    if percent % 100:
        return f"{percent} %"
    return "1 core" if percent == 100 else f"{percent // 100} cores"


def span(seconds: float) -> str:
    """A duration in its two largest units: ``3 h 12 min``."""
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def moment(value: datetime | None, missing: str = "never") -> Markup:
    """A time that the browser shows relative to now and in its own zone; ``missing`` for None."""
    if value is None:
        return Markup('<span class="muted">{}</span>').format(missing)
    stamp = value.isoformat(timespec="seconds")
    plain = value.strftime("%Y-%m-%d %H:%M UTC")
    return Markup('<time class="nowrap" datetime="{}" title="{}" data-relative>{}</time>').format(stamp, plain, plain)


def details(values: Mapping[str, Any]) -> str:
    """An audit line's details as a person reads them."""
    texts = {name: _listed(value) if isinstance(value, list) else value for name, value in values.items()}
    return "; ".join(f"{name.replace('_', ' ')}: {text}" for name, text in texts.items())


def _listed(values: list[Any]) -> str:
    shown = values if len(values) <= LISTED else values[: LISTED - 1]
    more = [] if shown is values else [f"{len(values) - len(shown)} more"]
    return ", ".join(map(str, [*shown, *more])) or "none"


def initials(name: str) -> str:
    """Up to two letters that stand for a name."""
    words = name.split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()
