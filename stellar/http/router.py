"""Adding resources to the application: every responder is declared, and no template is served twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import falcon.asgi

from ..auth import permissions
from ..extend.registry import RegistrationError
from .answers import Stream
from .declaration import SIGNED_IN, Declaration, of
from .request import Request

API = "/api/v1"
METHODS = ("get", "post", "put", "patch", "delete")

_FIELD = re.compile(r"\{[^}]*\}")
_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}")

App = falcon.asgi.App[Request, falcon.asgi.Response]


@dataclass(frozen=True)
class Operation:
    """A method of a template, as it is served."""

    plugin: str
    path: str
    method: str
    declaration: Declaration

    @property
    def parameters(self) -> list[str]:
        """The names of the path's fields."""
        return _NAME.findall(self.path)

    @property
    def changes(self) -> bool:
        """Whether it may change something."""
        return self.method not in ("get", "websocket")


class Router:
    """Adds resources to a Falcon application and remembers what they declare."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._owners: dict[str, tuple[str, str]] = {}
        self.operations: list[Operation] = []

    def add(self, plugin: str, path: str, resource: object) -> None:
        """Serve ``resource`` at the template ``path``; raises ``RegistrationError`` for what would not work."""
        shape = _FIELD.sub("{}", path)
        if shape in self._owners:
            other, taken = self._owners[shape]
            raise RegistrationError(f"{path} of {plugin} is already served by {other} ({taken})")
        operations = list(_operations(plugin, path, resource))
        if not operations:
            raise RegistrationError(f"the resource at {path} answers to no method")
        _answer_head(resource)
        try:
            self._app.add_route(path, resource)
        except ValueError as error:
            raise RegistrationError(f"{path} of {plugin} can't be served: {error}") from None
        self._owners[shape] = (plugin, path)
        self.operations += operations


def _answer_head(resource: Any) -> None:
    """Answer HEAD by GET; Falcon leaves out the body. Not for streams, which would begin in vain."""
    get = getattr(resource, "on_get", None)
    declaration = of(get) if get is not None else None
    if declaration is not None and declaration.returns is not Stream and not hasattr(resource, "on_head"):
        resource.on_head = get


def _operations(plugin: str, path: str, resource: Any) -> Iterator[Operation]:
    for name in dir(resource):
        if not name.startswith("on_") or name == "on_head":
            continue
        method = name.removeprefix("on_")
        declaration = of(getattr(resource, name))
        if declaration is None:
            raise RegistrationError(f"{name} at {path} is not declared with @endpoint or @websocket")
        if (method == "websocket") is not declaration.is_websocket or method not in (*METHODS, "websocket"):
            raise RegistrationError(f"{name} at {path} has the wrong name for its declaration")
        wanted = declaration.permission
        if wanted not in (None, SIGNED_IN) and not permissions.exists(str(wanted)):
            raise RegistrationError(f"{name} at {path} wants the permission {wanted}, which nobody has declared")
        yield Operation(plugin, path, method, declaration)
