"""The request as responders see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

import falcon.asgi

from ..auth.permissions import ANONYMOUS, Actor
from ..errors import Forbidden

if TYPE_CHECKING:
    from ..auth.sessions import Session
    from ..config import Config
    from ..panel import Panel

Receive = Callable[[], Awaitable[dict[str, Any]]]

SESSION_COOKIE = "stellar_session"
REQUEST_ID = "stellar.request_id"
PANEL = "stellar.panel"


class Request(falcon.asgi.Request):
    """A Falcon request that knows who sent it."""

    actor: Actor = ANONYMOUS
    session: Session | None = None
    session_renewed: bool = False
    """Whether the session's expiry has just been pushed back, so that the cookie's has to be."""

    def __init__(self, scope: dict[str, Any], receive: Receive, *args: Any, **kwargs: Any) -> None:
        # Falcon decodes the query as UTF-8 outside of its error handling.
        if not scope["query_string"].isascii():
            scope["query_string"] = quote_from_bytes(scope["query_string"], safe="&=+%").encode()
        super().__init__(scope, receive, *args, **kwargs)
        self.receive = receive

    @property
    def request_id(self) -> str:
        """Unique to this request; also in the header ``X-Request-Id`` and in the audit log."""
        found: str = self.scope[REQUEST_ID]
        return found

    @property
    def address(self) -> str:
        """Where it came from: the peer, or what a trusted proxy says."""
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    @property
    def is_https(self) -> bool:
        """Whether the browser used https (or wss)."""
        return self.scope.get("scheme") in ("https", "wss")

    @property
    def is_api(self) -> bool:
        """Whether the answer is for a program, not a page."""
        return self.path.startswith("/api/") or self.path == "/healthz"

    def cookie(self, name: str) -> str | None:
        """The first cookie of a name, as it was sent.

        Falcon's own way undoes quotes, which takes Python the square of their length; none of our values has any.
        """
        pairs = (part.partition("=") for part in (self.get_header("Cookie") or "").split(";"))
        return next((value.strip() for key, _, value in pairs if key.strip() == name), None)

    @property
    def session_token(self) -> str | None:
        """What the session cookie says."""
        return self.cookie(SESSION_COOKIE)

    @property
    def bearer_token(self) -> str | None:
        """What follows ``Authorization: Bearer``."""
        scheme, _, token = (self.auth or "").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None

    @property
    def panel(self) -> Panel:
        """The panel of this process."""
        found: Panel = self.scope[PANEL]
        return found

    @property
    def config(self) -> Config:
        """The panel's settings."""
        return self.panel.config

    def require_session(self) -> Session:
        """The session; ``Forbidden`` for callers that have signed in otherwise (API keys)."""
        if self.session is None:
            raise Forbidden("This needs a signed-in browser, not a key.", code="session_required")
        return self.session
