"""What the shell completes where a command takes a user, a role or an action."""

from __future__ import annotations

from collections.abc import Iterator

from ..commands.completion import asks, completes


def _roles() -> Iterator[tuple[str, str]]:
    from . import roles

    return ((one.name, one.title) for one in roles.listing())


def _actions() -> Iterator[tuple[str, str]]:
    from . import permissions

    return ((one.action, one.description) for one in sorted(permissions.known(), key=lambda one: one.action))


complete_user = completes("auth_user", "email", "name")
complete_role = asks(_roles)
complete_action = asks(_actions)
