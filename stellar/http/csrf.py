"""Requests that another site makes a browser send."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from ..errors import Forbidden
from .request import Request

HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_public_host = ""


def configure(public_url: str) -> None:
    """Also accept the panel's own public address as an origin, for proxies that change the Host header."""
    global _public_host
    _public_host = urlsplit(public_url).netloc.lower()


def check_origin(req: Request) -> None:
    """Raise ``Forbidden`` for a request from a page of another site; programs that aren't browsers send no Origin."""
    origin = req.get_header("Origin")
    if origin is None:
        return
    host = _host_of(origin)
    if not host or host not in (_without_default_port(req), (req.get_header("Host") or "").lower(), _public_host):
        raise Forbidden("The request comes from another site's page.", code="cross_origin")


def check_token(req: Request) -> None:
    """Raise ``Forbidden`` unless the request carries the CSRF token of its session."""
    assert req.session is not None
    given = req.get_header(HEADER) or ""
    if not hmac.compare_digest(given.encode(), req.session.csrf_token.encode()):
        raise Forbidden(f"The header {HEADER} is missing or wrong; reload the page.", code="csrf")


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower() if origin.isascii() else ""
    except ValueError:
        return ""


def _without_default_port(req: Request) -> str:
    host = (req.get_header("Host") or "").lower()
    return host.removesuffix(":443" if req.is_https else ":80")
