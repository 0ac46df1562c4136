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

MAILS = Limit(5, 60 * 60)
"""Mails of one kind, such as a link to a new password, that one address may have sent to one mailbox."""

MAILS_FROM_ANYWHERE = Limit(20, 60 * 60)
"""Such mails to one mailbox, whoever asks for them."""

NEW_ADDRESSES = Limit(10, 60 * 60)
"""Mails that one account may have sent to addresses that it says are its own."""

CODES_PER_STEP = Limit(5, 5 * 60)
"""Codes that one first step (or session) may try."""

CODES_PER_ACCOUNT = Limit(10, 60 * 60)
"""Codes that one address may try on one account, whatever the number of first steps."""

CODES_FROM_ANYWHERE = Limit(40, 60 * 60)
"""Codes that may be tried on one account: only who has its password can try any."""


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


async def second_attempt(address: str, user_id: str, step: str) -> None:
    """Count a code before it is checked; raises ``RateLimited``."""
    where = network(address)
    counted = (
        (step, "second", CODES_PER_STEP),
        (where, f"second:{user_id}", CODES_PER_ACCOUNT),
        (f"user-{user_id}", "second", CODES_FROM_ANYWHERE),
    )
    for who, what, limit in counted:
        verdict = await count(who, what, limit)
        if not verdict.allowed:
            minutes = -(-verdict.retry_after // 60)
            raise RateLimited(f"Too many codes; try again in {minutes} min.", retry_after=verdict.retry_after)


async def second_succeeded(address: str, user_id: str) -> None:
    """Forget the codes that an account's owner has tried."""
    await forget(network(address), f"second:{user_id}")
    await forget(f"user-{user_id}", "second")


async def mail_asked(address: str, email: str, what: str) -> bool:
    """Count a wish for a mail of the kind ``what``, whether or not there is such an account; raises ``RateLimited``.

    Answers whether one more may be mailed: when many others have asked, nobody is told, and the last link stays valid.
    """
    verdict = await count(network(address), _account(email, what), MAILS)
    if not verdict.allowed:
        minutes = -(-verdict.retry_after // 60)
        raise RateLimited(
            f"Too many mails to this address; try again in {minutes} min.", retry_after=verdict.retry_after
        )
    return (await count("anywhere", _account(email, what), MAILS_FROM_ANYWHERE)).allowed


async def address_asked(user_id: str) -> None:
    """Count a new address that somebody says is theirs; raises ``RateLimited``."""
    verdict = await count(f"user-{user_id}", "new-address", NEW_ADDRESSES)
    if not verdict.allowed:
        minutes = -(-verdict.retry_after // 60)
        raise RateLimited(f"Too many new addresses; try again in {minutes} min.", retry_after=verdict.retry_after)


def _account(email: str, what: str = "signin") -> str:
    return f"{what}:" + hashlib.sha256(email.encode("utf-8", "surrogatepass")).hexdigest()[:32]
