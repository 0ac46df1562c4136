"""Menu entries that plugins offer through the hook ``menu_items``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MenuItem:
    """A link in a menu.

    ``url`` may hold ``{server_id}`` in the location ``server``. ``icon`` names a symbol of the theme's sprite;
    ``order`` sorts (the core's own entries are at 10, 20, …, 90). ``actions``: in the location ``server`` it is only
    shown to those who may do one of these on the server; empty: to all who see it.
    """

    label: str
    url: str
    icon: str = "star"
    order: int = 50
    actions: tuple[str, ...] = ()

    def is_current(self, path: str) -> bool:
        """Whether a page's path is this entry's or below it."""
        return path == self.url or path.startswith(f"{self.url.rstrip('/')}/")

    def fits(self, may: frozenset[str]) -> bool:
        """Whether it is of use to somebody who may do just these actions."""
        return not self.actions or not may.isdisjoint(self.actions)


def current(items: list[MenuItem], path: str) -> MenuItem | None:
    """The entry that a page belongs to: the most specific one that matches."""
    matching = [item for item in items if item.is_current(path)]
    return max(matching, key=lambda item: len(item.url), default=None)
