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


def content_security_policy(*, style_nonce: str = "", inline_styles: bool = False) -> str:
    """The Content-Security-Policy of a page: scripts only from the panel itself, never inline.

    ``style_nonce`` lets in style elements that carry it, such as an editor's; ``inline_styles`` any style, for
    pages with a terminal, which colours its cells that way.
    """
    policy = dict(_POLICY)
    if style_nonce:
        policy["style-src"] += f" 'nonce-{style_nonce}'"
    if inline_styles:
        policy["style-src"] += " 'unsafe-inline'"
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
