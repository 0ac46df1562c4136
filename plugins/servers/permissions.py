"""The actions on servers. Those of the scope ``server`` belong to a server's owner."""

from __future__ import annotations

from stellar.extend.registry import PermissionRegistrar

POWER = ("start", "stop", "restart", "kill")


def declare(permissions: PermissionRegistrar) -> None:
    """Register them."""
    permissions.add("servers.create", "Create servers, as many as the limit allows", roles=("user",))
    permissions.add("servers.read", "See a server", scope="server")
    permissions.add("servers.delete", "Delete a server with its files", scope="server")
    for action in POWER:
        permissions.add(f"control.{action}", f"{action.capitalize()} a server", scope="server")
    permissions.add("settings.rename", "Change a server's name and description", scope="server")
    permissions.add("settings.reinstall", "Install a server again", scope="server")
