"""How a game is stopped, from the one text that blueprints and eggs write for it; pure, runs on nodes too.

``^C`` is the key, ``^^C`` the same as some eggs spell it; any other ``^NAME`` is a signal; the rest is typed.
"""

from __future__ import annotations

from typing import get_args

from .structs import Signal, Stop

KEYS: dict[str, Signal] = {"C": "SIGINT", "\\": "SIGQUIT"}
"""The keys that a terminal turns into signals."""
SIGNALS: tuple[Signal, ...] = get_args(Signal)


def parse_stop(text: str, grace_seconds: int = 30) -> Stop:
    """What ``text`` means. A ``^…`` that names nothing is SIGTERM: the game may still save within its grace period."""
    if not text.startswith("^"):
        return Stop(command=text, grace_seconds=grace_seconds)
    return Stop(signal=_signal(text) or "SIGTERM", grace_seconds=grace_seconds)


def stop_problem(text: str) -> str | None:
    """Why ``text`` names no signal although it begins like one; None when all is well."""
    if not text.startswith("^") or _signal(text) is not None:
        return None
    return f"names no signal; use ^C, or ^ and one of {', '.join(SIGNALS)}"


def _signal(text: str) -> Signal | None:
    name = text.lstrip("^").strip().upper()
    if name in KEYS:
        return KEYS[name]
    return next((signal for signal in SIGNALS if name in (signal, signal.removeprefix("SIG"))), None)
