"""Fetching what somebody gives the address of, without letting them reach what only this machine can.

A name is resolved once, each address is checked, and the connection goes to a checked one: neither a redirect nor a
name that changes its address gets around that.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore
import httpx

from .. import __version__
from ..errors import Invalid, Unavailable

MAX_URL = 2000
"""Characters."""
MAX_REDIRECTS = 5
TIMEOUT = 20.0
"""Seconds for everything: names, connections, redirects and the body."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200
_EMBEDDING = (
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("64:ff9b:1::/48"), 0),
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)
"""IPv6 networks that stand for IPv4 addresses, and how many bits follow those."""
_METADATA = ipaddress.IPv6Network("fd00:ec2::/32")
"""Where Amazon's machines are told their secrets, besides the link-local addresses."""


_SITE_LOCAL = ipaddress.IPv6Network("fec0::/10")
"""What private networks had before ``fc00::/7``; routers may still know them."""


@dataclass(frozen=True)
class Fetched:
    """A document, and the address that it came from after all redirects."""

    url: str
    data: bytes


async def fetch(url: str, *, limit: int, private: bool = False, seconds: float = TIMEOUT) -> Fetched:
    """The document at an http or https address, of at most ``limit`` bytes.

    ``private`` allows addresses of local networks and this machine too, but never link-local ones, where clouds keep
    their secrets. ``Invalid`` for an address that isn't allowed, ``Unavailable`` for one that doesn't answer well.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _follow(_parsed(url), limit, private=private)
    except TimeoutError:
        raise Unavailable(f"{_shown(url)} did not answer within {seconds:g} seconds.", code="fetch_failed") from None


def is_allowed(address: str, *, private: bool = False) -> bool:
    """Whether it may be dialled: a public unicast address, or with ``private`` a local one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return is_allowed(str(found.ipv4_mapped), private=private)
        if (embedded := _embedded(found)) is not None and not found.is_loopback:
            return is_allowed(str(embedded))
    if found.is_multicast or found.is_unspecified or found.is_link_local or found in _METADATA:
        return False
    if found.version == 4 and found.is_reserved:
        return False
    if found.is_loopback or found.is_private or found in _SITE_LOCAL:
        return private
    return found.is_global and not found.is_reserved


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    for network, after in _EMBEDDING:
        if address in network:
            return ipaddress.IPv4Address((int(address) >> after) & 0xFFFFFFFF)
    return None


async def _follow(url: httpx.URL, limit: int, *, private: bool) -> Fetched:
    for _ in range(MAX_REDIRECTS + 1):
        answer = await _ask(url, limit, private=private)
        if isinstance(answer, bytes):
            return Fetched(str(url), answer)
        onward = _parsed(str(url.join(answer)))
        if url.scheme == "https" and onward.scheme != "https":
            raise _refused(f"{_shown(str(url))} leads to an address without https")
        url = onward
    raise _refused(f"{_shown(str(url))} is the end of more than {MAX_REDIRECTS} redirects")


async def _ask(url: httpx.URL, limit: int, *, private: bool) -> bytes | str:
    """The document, or where a redirect leads."""
    backend = _CheckedBackend(private=private)
    target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path or b"/")
    headers = [
        ("Host", url.netloc.decode("ascii")),
        ("User-Agent", f"stellar/{__version__}"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
    ]
    try:
        async with (
            httpcore.AsyncConnectionPool(ssl_context=_ssl_context(), network_backend=backend) as pool,
            pool.stream("GET", target, headers=headers) as response,
        ):
            location = next((value for name, value in response.headers if name.lower() == b"location"), b"")
            if response.status in _REDIRECTS and location:
                return location.decode("latin-1")
            if response.status != _OK:
                raise Unavailable(f"{_shown(str(url))} answered with {response.status}.", code="fetch_failed")
            return await _body(response, url, limit)
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
        reason = str(error) or type(error).__name__
        raise Unavailable(f"{_shown(str(url))} can't be fetched: {reason[:200]}.", code="fetch_failed") from None


@cache
def _ssl_context() -> ssl.SSLContext:
    """Reading the certificates takes as long as a hundred requests."""
    return ssl.create_default_context()


async def _body(response: httpcore.Response, url: httpx.URL, limit: int) -> bytes:
    data = bytearray()
    async for chunk in response.aiter_stream():
        data += chunk
        if len(data) > limit:
            raise _refused(f"{_shown(str(url))} has more than {limit // 1024} KiB")
    return bytes(data)


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that are allowed, whatever the name is."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve once, check, and dial what was checked."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError(f"there is no address of {host[:100]}") from None
        addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
        allowed = [address for address in addresses if is_allowed(address, private=self._private)]
        if not allowed:
            raise _refused(f"{host[:100]} is in a private network or on this machine")
        for address in allowed[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(allowed[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise _refused("Sockets of this machine can't be fetched from")

    async def sleep(self, seconds: float) -> None:
        """Between attempts."""
        await asyncio.sleep(seconds)


def _parsed(url: str) -> httpx.URL:
    try:
        if len(url) > MAX_URL:
            raise _refused(f"An address may have at most {MAX_URL} characters")
        parsed = httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError):
        raise _refused(f"{_shown(url)} is not an address") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise _refused(f"{_shown(url)} does not begin with http:// or https://")
    if parsed.userinfo:
        raise _refused("An address with a name or password in it is not fetched")
    return parsed


def _shown(url: str) -> str:
    """An address for messages: without what may be a secret in its query."""
    return url.strip().partition("?")[0].partition("#")[0][:200] or "The address"


def _refused(problem: str) -> Invalid:
    return Invalid(f"{problem}.", code="fetch_refused", fields={"url": problem})
