"""Who acts, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import msgspec

from ..errors import Forbidden, NotFound, Unauthenticated
from ..extend.registry import Permission

if TYPE_CHECKING:
    from ..extend.manager import PluginManager

Role = str
"""The name of a built-in role, or of a custom one."""

ADMIN, SUPPORT, USER = BUILTIN = ("admin", "support", "user")

CHANGED = "permissions.changed"
"""The kind of the global event that what the user ``id`` may do has changed; an empty id is everybody."""

Kind = Literal["session", "key", "system", "anonymous"]

CORE = (
    Permission("core", "accounts.read", "See every account"),
    Permission("core", "accounts.manage", "Create, change and suspend accounts"),
    Permission("core", "roles.read", "See the roles and what they are made of"),
    Permission("core", "roles.manage", "Make, change and delete roles, within what one may do oneself"),
    Permission("core", "settings.manage", "Change the panel's settings"),
    Permission("core", "audit.read", "Read the audit log"),
)

_known: dict[str, Permission] = {permission.action: permission for permission in CORE}
_plugins: PluginManager | None = None


class Actor(msgspec.Struct, frozen=True):
    """Somebody who asks for something; ``address`` and ``request_id`` are empty outside requests.

    ``is_admin``: has the built-in administrator role. ``granted``: the actions of a custom role. ``scopes``: all that
    an API key may be used for; None is no such bound. ``key_id``: that key. ``impersonator_id`` and ``impersonator``
    (an address): who really acts.
    """

    user_id: str | None
    name: str
    email: str = ""
    is_admin: bool = False
    kind: Kind = "session"
    session_id: str | None = None
    address: str = ""
    request_id: str = ""
    role: Role = USER
    granted: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    key_id: str | None = None
    impersonator_id: str | None = None
    impersonator: str = ""

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
        raise refusal(self, action)


ANONYMOUS = Actor(user_id=None, name="", kind="anonymous")
SYSTEM = Actor(user_id=None, name="system", is_admin=True, kind="system", role=ADMIN)


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


def is_server_action(action: str) -> bool:
    """Whether an action is one that a server's owner and members may hold."""
    permission = _known.get(action)
    return permission is not None and permission.scope == "server"


def role_actions(role: Role) -> frozenset[str]:
    """What a built-in role is made of.

    Administrators hold every action. Support holds every action that only looks (``*.read``), on every server, what
    users hold, and what plugins declare for ``support``: it changes nothing of others. Users hold what plugins
    declare for ``user``; everything on servers of their own comes from owning them.
    """
    return frozenset(permission.action for permission in _known.values() if _holds(role, permission))


def in_scope(actor: Actor, action: str) -> bool:
    """Whether the key that ``actor`` uses, if it is one, is meant for an action."""
    return actor.scopes is None or action in actor.scopes


def allowed(actor: Actor, action: str, resource: object | None = None) -> bool:
    """Whether ``actor`` may do ``action``: by role, or because ``resource`` grants it.

    A resource grants by its ``grants(actor, action)``; one without that method, to the user in its ``owner_id``,
    for actions of the scope ``server``. A plugin's ``permission_allowed`` may deny, also by raising. An action
    that nobody has declared is a mistake in the caller: ``LookupError``.
    """
    if actor.kind == "system":
        return True
    permission = _known[action]
    if not in_scope(actor, action):
        return False
    if not actor.signed_in or not (_by_role(actor, permission) or _by_resource(actor, permission, resource)):
        return False
    return not _denied(actor, action, resource)


def may_try(actor: Actor, action: str) -> bool:
    """Whether ``actor`` could be allowed ``action`` on some resource: the check before the resource is known."""
    permission = _known[action]
    if actor.signed_in and permission.scope == "server":
        return in_scope(actor, action)
    return allowed(actor, action)


def hooked() -> bool:
    """Whether a plugin has a say, so that checks may take a while."""
    return _plugins is not None and _plugins.implements("permission_allowed")


def refusal(actor: Actor, action: str | None = None) -> Forbidden | Unauthenticated:
    """The error for an actor who may not do something."""
    if action is not None and not in_scope(actor, action):
        return Forbidden(f"This API key lacks the scope {action}.", code="scope_missing")
    if actor.signed_in:
        return Forbidden("Your account may not do this; ask an administrator.")
    return Unauthenticated("Sign in first.")


def _by_role(actor: Actor, permission: Permission) -> bool:
    return actor.is_admin or permission.action in actor.granted or _holds(actor.role, permission)


def _holds(role: Role, permission: Permission) -> bool:
    if role == SUPPORT:
        looks = permission.action.rpartition(".")[2] == "read"
        return looks or bool({SUPPORT, USER}.intersection(permission.roles))
    return role == ADMIN or (role == USER and USER in permission.roles)


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
