"""The actions on a server's ports, start-up and record, and those with which administrators steer it."""

from __future__ import annotations

from stellar.extend.registry import PermissionRegistrar

ON_A_SERVER = {
    "settings.read": "See a server's page of settings",
    "settings.description": "Change a server's description",
    "startup.read": "See a server's start-up variables",
    "startup.update": "Change a server's start-up variables",
    "startup.image": "Change a server's blueprint",
    "allocations.read": "See a server's ports",
    "allocations.create": "Give a server more ports, within the limit",
    "allocations.update": "Change a server's main port and the notes on its ports",
    "allocations.delete": "Take ports from a server",
    "activity.read": "See what was done with a server",
    "crashes.read": "See how a server has crashed",
    "control.answer": "Answer what a game asks, such as to accept its licence",
}
FOR_ADMINISTRATORS = {
    "servers.resources": "Change how much memory, CPU and disk a server may use",
    "servers.suspend": "Suspend servers, and let them run again",
}


def declare(permissions: PermissionRegistrar) -> None:
    """Register them."""
    for action, description in ON_A_SERVER.items():
        permissions.add(action, description, scope="server")
    for action, description in FOR_ADMINISTRATORS.items():
        permissions.add(action, description)
