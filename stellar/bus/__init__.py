"""The bus: events, calls to nodes, cache and rate limits over Redis; nothing else of the panel talks to Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bus import Bus as Bus
    from .hub import Lagged as Lagged
    from .hub import Message as Message
    from .hub import Stream as Stream

__all__ = ["Bus", "Lagged", "Message", "Stream"]


def __getattr__(name: str) -> Any:
    """Import the parts that need redis-py only when they are used."""
    if name == "Bus":
        from .bus import Bus

        return Bus
    if name in ("Lagged", "Message", "Stream"):
        from . import hub

        return getattr(hub, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
