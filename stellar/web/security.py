"""The security headers of pages."""

from __future__ import annotations

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "manifest-src": "'self'",
}


def content_security_policy(*, inline_styles: bool = False, connect: tuple[str, ...] = ()) -> str:
    """The Content-Security-Policy of a page: scripts only from the panel itself, never inline.

    ``inline_styles`` is for pages with a terminal, which colours its cells that way; ``connect`` are further
    origins that its scripts may reach, such as a node's.
    """
    policy = dict(_POLICY)
    if inline_styles:
        policy["style-src"] += " 'unsafe-inline'"
    if connect:
        policy["connect-src"] += " " + " ".join(connect)
    return "; ".join(f"{name} {value}" for name, value in policy.items())


PAGE_HEADERS = {
    "Content-Security-Policy": content_security_policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""Set on every page that doesn't bring its own."""
