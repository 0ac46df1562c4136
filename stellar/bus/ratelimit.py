"""How often an address or account may use an endpoint: a fixed window that begins with the first use.

Without Redis nothing is let through (``Unavailable``): whoever can hurt Redis must not gain free guesses by it, and
without Redis there are no sessions to use the rest of the panel with anyhow.
"""

from __future__ import annotations

import math
from typing import cast

import msgspec
import redis.asyncio

from . import connections, names

COUNT = """
local used = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {used, left}
"""


class Limit(msgspec.Struct, frozen=True):
    """``uses`` per window of ``seconds``."""

    uses: int
    seconds: float


class Verdict(msgspec.Struct, frozen=True):
    """``reset_seconds`` until the window ends; ``retry_after`` is that for a refused use, else 0."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int
    retry_after: int


async def check(client: redis.asyncio.Redis, address: str, endpoint: str, limit: int, window: float) -> Verdict:
    """Count one use by ``address`` (or an account) of ``endpoint``: at most ``limit`` in ``window`` seconds."""
    script = client.register_script(COUNT)
    try:
        answer = await script(keys=[names.ratelimit(address, endpoint)], args=[max(1, round(window * 1000))])
    except connections.Gone:
        raise connections.away() from None
    used, left = cast("list[int]", answer)
    reset = max(1, math.ceil(left / 1000))
    allowed = used <= limit
    return Verdict(allowed, limit, max(0, limit - used), reset, 0 if allowed else reset)


async def forget(client: redis.asyncio.Redis, address: str, endpoint: str) -> None:
    """Start anew, as after a sign-in that succeeded."""
    try:
        await client.delete(names.ratelimit(address, endpoint))
    except connections.Gone:
        raise connections.away() from None
