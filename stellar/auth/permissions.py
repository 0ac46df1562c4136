"""Who acts, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import msgspec

from ..errors import Forbidden, NotFound, Unauthenticated
from ..extend.registry import Permission

if TYPE_CHECKING:
    from ..extend.manager import PluginManager

Role = Literal["admin", "user"]
Kind = Literal["session", "key", "system", "anonymous"]

CORE = (
    Permission("core", "users.read", "See every account"),
    Permission("core", "users.manage", "Create, change and suspend accounts"),
    Permission("core", "settings.manage", "Change the panel's settings"),
    Permission("core", "audit.read", "Read the audit log"),
)

_known: dict[str, Permission] = {permission.action: permission for permission in CORE}
_plugins: PluginManager | None = None


class Actor(msgspec.Struct, frozen=True):
    """Somebody who asks for something; ``address`` and ``request_id`` are empty outside requests."""

    user_id: str | None
    name: str
    email: str = ""
    is_admin: bool = False
    kind: Kind = "session"
    session_id: str | None = None
    address: str = ""
    request_id: str = ""

    @property
    def signed_in(self) -> bool:
        """Whether this is a user (or the system itself)."""
        return self.kind != "anonymous"

    def allowed(self, action: str, resource: object | None = None) -> bool:
        """See ``allowed``."""
        return allowed(self, action, resource)

    def require(self, action: str, resource: object | None = None, missing: str = "There is no such thing.") -> None:
        """Raise ``NotFound`` for a resource that this actor may not touch, ``Forbidden`` for an action without one."""
        if allowed(self, action, resource):
            return
        if resource is not None:
            raise NotFound(missing)
        raise refusal(self)


ANONYMOUS = Actor(user_id=None, name="", kind="anonymous")
SYSTEM = Actor(user_id=None, name="system", is_admin=True, kind="system")


@runtime_checkable
class Guarded(Protocol):
    """A resource with a rule of its own."""

    def grants(self, actor: Actor, action: str) -> bool:
        """Whether this resource lets the actor do the action, whatever the role."""
        ...


def configure(permissions: Iterable[Permission], plugins: PluginManager | None) -> None:
    """Set the actions that exist, besides the core's, and who is asked by ``permission_allowed``."""
    global _plugins
    _plugins = plugins
    _known.clear()
    _known.update({permission.action: permission for permission in (*CORE, *permissions)})


def known() -> list[Permission]:
    """Every action that exists."""
    return list(_known.values())


def exists(action: str) -> bool:
    """Whether somebody has declared the action."""
    return action in _known


def allowed(actor: Actor, action: str, resource: object | None = None) -> bool:
    """Whether ``actor`` may do ``action``: by role, or because ``resource`` grants it.

    A resource grants by its ``grants(actor, action)``; one without that method, to the user in its ``owner_id``,
    for actions of the scope ``server``. A plugin's ``permission_allowed`` may deny, also by raising. An action
    that nobody has declared is a mistake in the caller: ``LookupError``.
    """
    if actor.kind == "system":
        return True
    permission = _known[action]
    if not actor.signed_in or not (_by_role(actor, permission) or _by_resource(actor, permission, resource)):
        return False
    return not _denied(actor, action, resource)


def may_try(actor: Actor, action: str) -> bool:
    """Whether ``actor`` could be allowed ``action`` on some resource: the check before the resource is known."""
    permission = _known[action]
    if actor.signed_in and permission.scope == "server":
        return True
    return allowed(actor, action)


def hooked() -> bool:
    """Whether a plugin has a say, so that checks may take a while."""
    return _plugins is not None and _plugins.implements("permission_allowed")


def refusal(actor: Actor) -> Forbidden | Unauthenticated:
    """The error for an actor who may not do something."""
    if actor.signed_in:
        return Forbidden("Your account may not do this; ask an administrator.")
    return Unauthenticated("Sign in first.")


def _by_role(actor: Actor, permission: Permission) -> bool:
    return actor.is_admin or "user" in permission.roles


def _by_resource(actor: Actor, permission: Permission, resource: Any) -> bool:
    if resource is None:
        return False
    if isinstance(resource, Guarded):
        return resource.grants(actor, permission.action)
    return (
        permission.scope == "server"
        and actor.user_id is not None
        and getattr(resource, "owner_id", None) == actor.user_id
    )


def _denied(actor: Actor, action: str, resource: object | None) -> bool:
    if _plugins is None or not _plugins.implements("permission_allowed"):
        return False
    answers = _plugins.strict("permission_allowed", actor=actor, action=action, resource=resource)
    return any(answer is False for answer in answers)
