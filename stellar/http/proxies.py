"""Proxies that nobody has told the panel about: everybody behind one counts as one caller."""

from __future__ import annotations

import ipaddress
import logging
from typing import TYPE_CHECKING

from .request import Request

if TYPE_CHECKING:
    from ..panel import Panel

NOTED = 10

log = logging.getLogger(__name__)


def notice(req: Request) -> None:
    """Look for the header of a proxy that isn't trusted.

    Anybody can send it, so it says something only where it comes from a private address.
    """
    forwarded: str | None = req.get_header("X-Forwarded-For")
    if forwarded is None or req.address in forwarded:
        return
    known = req.panel.unknown_proxies
    if req.address not in known and len(known) < NOTED and _is_private(req.address):
        known.add(req.address)
        log.warning("%s", problem(req.panel))


def problem(panel: Panel) -> str | None:
    """What is wrong, and what to do; None when nothing is."""
    if not panel.unknown_proxies:
        return None
    return (
        f"Visitors come through {', '.join(sorted(panel.unknown_proxies))}, which web.trusted_proxies doesn't name: "
        "they count as one, and one of them can keep the others from signing in. Name your proxy there and restart."
    )


def _is_private(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return False
