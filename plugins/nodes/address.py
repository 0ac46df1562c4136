"""The address at which another machine finds the panel."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from stellar.config import Config

EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

ONLY_HERE = (
    "Other machines can't reach {url}: start the panel with --host 0.0.0.0, or set public_url in [web], "
    "and make a new join command."
)


def panel_url(config: Config, asked: str = "") -> str:
    """What a join command names: the public address, else that of the browser that asks, else where the panel listens.

    ``asked`` is the origin of a request. A loopback address is replaced where the panel listens on every address.
    """
    if config.web.public_url:
        return config.public_url
    url = asked or config.local_url
    if config.web.host in EVERYWHERE and is_loopback(url):
        parts = urlsplit(url)
        return f"{parts.scheme}://{own_address()}:{parts.port or config.web.port}"
    return url


def is_loopback(url: str) -> bool:
    """Whether only this machine itself reaches an address."""
    return urlsplit(url).hostname in LOOPBACK


def own_address() -> str:
    """The address with which this machine reaches others: what players in the same network connect to.

    Connecting a datagram socket sends nothing; 192.0.2.1 is reserved for documentation (RFC 5737).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
