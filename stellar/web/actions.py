"""Actions as pages offer them: grouped by what they are about, each with a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..auth import permissions
from ..extend.registry import Permission

TITLES = {
    "admin": "Administration",
    "accounts": "Accounts",
    "activity": "Activity",
    "allocations": "Ports",
    "audit": "Audit log",
    "control": "Power",
    "servers": "Servers",
    "settings": "Settings",
    "startup": "Start-up",
    "users": "Members",
}
FIRST = ("servers", "control", "console", "files")


@dataclass(frozen=True)
class Group:
    """Actions that belong together."""

    title: str
    actions: list[Permission]


def groups(offered: Callable[[Permission], bool]) -> list[Group]:
    """The actions that ``offered`` lets through, the commonest groups first."""
    found: dict[str, list[Permission]] = {}
    for permission in sorted(permissions.known(), key=lambda one: one.action):
        if offered(permission):
            found.setdefault(permission.action.partition(".")[0], []).append(permission)
    ordered = sorted(found, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    return [Group(TITLES.get(name, name.capitalize()), found[name]) for name in ordered]
