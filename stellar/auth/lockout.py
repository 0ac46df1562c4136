"""Guessing passwords: bounded per address and account, and per address; nobody can lock out anybody else."""

from __future__ import annotations

import hashlib

from ..bus.ratelimit import Limit
from ..errors import RateLimited
from ..http.ratelimits import count, forget, network

PER_ACCOUNT = Limit(10, 10 * 60)
"""Sign-ins from one address into one account, successful ones aside."""

PER_ADDRESS = Limit(300, 10 * 60)
"""Sign-ins from one address into any account."""


async def attempt(address: str, email: str) -> None:
    """Count an attempt before it is checked; raises ``RateLimited``.

    Only this address is counted, so whoever guesses locks out nobody but themselves.
    """
    where = network(address)
    for what, limit in ((_account(email), PER_ACCOUNT), ("signin", PER_ADDRESS)):
        verdict = await count(where, what, limit)
        if not verdict.allowed:
            minutes = -(-verdict.retry_after // 60)
            raise RateLimited(
                f"Too many attempts to sign in; try again in {minutes} min.", retry_after=verdict.retry_after
            )


async def succeeded(address: str, email: str) -> None:
    """Forget the attempts of an address on an account after the right password."""
    await forget(network(address), _account(email))


def _account(email: str) -> str:
    return "signin:" + hashlib.sha256(email.encode("utf-8", "surrogatepass")).hexdigest()[:32]
