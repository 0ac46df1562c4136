"""The actions on servers. Those of the scope ``server`` belong to a server's owner and can be given to members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellar.auth.permissions import SYSTEM, Actor, allowed, in_scope, is_server_action, known, refusal
from stellar.extend.registry import PermissionRegistrar

if TYPE_CHECKING:
    import peewee

    from .models import Server

READ = "servers.read"
POWER = ("start", "stop", "restart", "kill")

VIEWER, OPERATOR, MANAGER = "viewer", "operator", "manager"
_OPERATOR = ("control.", "files.write", "files.create", "files.archive", "backups.create", "backups.download")
_NOT_MANAGER = ("servers.delete",)
LATER = {
    "files.archive": "Pack and unpack archives of a server's files",
    "files.sftp": "Reach a server's files over SFTP",
    "backups.read": "See a server's backups",
    "backups.create": "Make backups of a server",
    "backups.delete": "Delete a server's backups",
    "backups.restore": "Restore a server from a backup",
    "backups.download": "Download a server's backups",
    "schedules.read": "See a server's schedules",
    "schedules.create": "Make schedules for a server",
    "schedules.update": "Change a server's schedules",
    "schedules.delete": "Delete a server's schedules",
    "databases.read": "See a server's databases",
    "databases.create": "Make databases for a server",
    "databases.update": "Change the passwords of a server's databases",
    "databases.delete": "Delete a server's databases",
}
"""Actions on what is not there yet, so that roles, members and keys can hold them before it comes."""


def declare(permissions: PermissionRegistrar) -> None:
    """Register them."""
    permissions.add("servers.create", "Create servers, as many as the limit allows", roles=("user",))
    permissions.add(READ, "See a server", scope="server")
    permissions.add("servers.delete", "Delete a server with its files", scope="server")
    for action in POWER:
        permissions.add(f"control.{action}", f"{action.capitalize()} a server", scope="server")
    permissions.add("settings.rename", "Change a server's name", scope="server")
    permissions.add("settings.reinstall", "Install a server again", scope="server")
    permissions.add("users.read", "See a server's members and invitations", scope="server")
    permissions.add("users.create", "Add and invite members, within what one may do oneself", scope="server")
    permissions.add("users.update", "Change what members may do, within what one may do oneself", scope="server")
    permissions.add("users.delete", "Remove members and invitations", scope="server")
    for action, description in LATER.items():
        permissions.add(action, description, scope="server")


def presets() -> dict[str, list[str]]:
    """What can be given together: to look, to run it from day to day, and everything but deleting it."""
    actions = sorted(permission.action for permission in known() if permission.scope == "server")
    viewer = [action for action in actions if action.endswith(".read") and not action.startswith("users.")]
    operator = [action for action in actions if action.startswith(_OPERATOR) or action == "console.write"]
    manager = [action for action in actions if action not in _NOT_MANAGER]
    return {VIEWER: viewer, OPERATOR: sorted({*viewer, *operator}), MANAGER: manager}


def require_scopes(actor: Actor, *actions: str) -> None:
    """Raise ``Forbidden`` when an API key isn't meant for one of these actions, whatever the server."""
    for action in actions:
        if is_server_action(action) and not in_scope(actor, action):
            raise refusal(actor, action)


def sees_all(actor: Actor) -> bool:
    """Whether ``actor`` may see every server; ``Forbidden`` for a key that isn't meant for seeing any."""
    require_scopes(actor, READ)
    return actor.kind == SYSTEM.kind or allowed(actor, READ)


def visible(actor: Actor) -> peewee.Expression | None:
    """A condition on ``Server`` for those that ``actor`` may see; None when that is all of them."""
    from .models import Member, Server

    if sees_all(actor):
        return None
    own = Server.alias()
    owned = own.select(own.id).where(own.owner == actor.user_id)
    # Not an OR of the two: databases would go through every server.
    return Server.id << (owned | Member.select(Member.server).where(Member.user == actor.user_id))


def holds(actor: Actor, server: Server) -> list[str]:
    """Every action that ``actor`` may do on this server."""
    actions = sorted(permission.action for permission in known() if permission.scope == "server")
    return [action for action in actions if allowed(actor, action, server)]
