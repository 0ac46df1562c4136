"""Rate limits of endpoints, with the headers that tell clients about them."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

import falcon.asgi

from ..bus import bus, ratelimit
from ..bus.ratelimit import Limit, Verdict
from ..errors import RateLimited
from . import proxies
from .request import Request

WRITES = Limit(600, 60)
"""For everything that changes something and declares no limit of its own, together."""

CREATES = Limit(120, 60)
"""For each endpoint that makes something (it answers 201) and declares no limit of its own."""


@lru_cache(maxsize=1024)
def network(address: str) -> str:
    """The part of an address that one caller can't choose freely: an IPv6 address's first 64 bits."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)


def caller(req: Request) -> str:
    """Who is counted: the account, or the address of somebody who isn't signed in."""
    return f"user-{req.actor.user_id}" if req.actor.user_id else _place(req)


def _place(req: Request) -> str:
    proxies.notice(req)
    return network(req.address)


async def enforce_limit(
    req: Request, resp: falcon.asgi.Response | None, endpoint: str, limit: Limit, *, public: bool = False
) -> None:
    """Count the request and raise ``RateLimited`` when there were too many; sets the RateLimit headers.

    On a ``public`` endpoint the address counts for everybody: each account that one makes there would count anew.
    """
    verdict = await count(_place(req) if public else caller(req), endpoint, limit)
    if resp is not None:
        resp.set_header("RateLimit-Limit", str(verdict.limit))
        resp.set_header("RateLimit-Remaining", str(verdict.remaining))
        resp.set_header("RateLimit-Reset", str(verdict.reset_seconds))
    if not verdict.allowed:
        raise RateLimited(f"Too many requests; try again in {verdict.retry_after} s.", retry_after=verdict.retry_after)


async def count(who: str, what: str, limit: Limit) -> Verdict:
    """Count one use of ``what`` by ``who``."""
    return await ratelimit.check(bus.current().redis, who, what, limit.uses, limit.seconds)


async def forget(who: str, what: str) -> None:
    """Forget the uses of ``what`` by ``who``."""
    await ratelimit.forget(bus.current().redis, who, what)
