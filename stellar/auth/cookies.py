"""The cookie that holds a session's token."""

from __future__ import annotations

from ..db import now
from ..http.answers import Cookie
from ..http.request import SESSION_COOKIE
from .sessions import NewSession

GONE = Cookie(SESSION_COOKIE, "", 0)
"""Removes it."""


def cookie_of(begun: NewSession) -> Cookie:
    """The cookie of a session that has just begun; it lasts as long as the session would without use."""
    return Cookie(SESSION_COOKIE, begun.token, round((begun.expires_at - now()).total_seconds()))
