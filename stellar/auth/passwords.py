"""Password hashing: argon2id, in threads of its own, so that a flood of sign-ins can't exhaust memory."""

from __future__ import annotations

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from ..errors import Invalid, Unavailable

MIN_LENGTH = 8
MAX_LENGTH = 256
THREADS = 2
MAX_WAITING = 64
"""Hashes under way or waiting; more are refused."""

# OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
_hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="password")
_waiting = 0


def check_new(password: str, email: str) -> None:
    """Raise ``Invalid`` for a password that is too short, too long, or the e-mail address itself."""
    if len(password) < MIN_LENGTH:
        problem = f"The password needs at least {MIN_LENGTH} characters."
    elif len(password) > MAX_LENGTH:
        problem = f"The password may have at most {MAX_LENGTH} characters."
    elif password.casefold().strip() == email:
        problem = "The password may not be the e-mail address."
    else:
        return
    raise Invalid(problem, fields={"password": problem})


def hash_password(password: str) -> str:
    """The hash to keep; takes some 20 ms and 19 MiB."""
    return _hasher.hash(_normal(password))


def verify(password_hash: str | None, password: str) -> bool:
    """Whether the password is right; without a hash it takes as long and is wrong."""
    try:
        _hasher.verify(password_hash or nobody(), _normal(password))
    except (VerificationError, InvalidHashError):
        return False
    return bool(password_hash)


def outdated(password_hash: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(password_hash)


async def hash_async(password: str) -> str:
    """``hash_password`` off the event loop; ``Unavailable`` when too many wait."""
    with _Waiting():
        return await asyncio.get_running_loop().run_in_executor(_pool, hash_password, password)


async def verify_async(password_hash: str | None, password: str) -> bool:
    """``verify`` off the event loop; ``Unavailable`` when too many wait."""
    with _Waiting():
        return await asyncio.get_running_loop().run_in_executor(_pool, verify, password_hash, password)


class _Waiting:
    """Counts what is under way in the event loop's thread."""

    def __enter__(self) -> None:
        global _waiting
        if _waiting >= MAX_WAITING:
            raise Unavailable("Too many people are signing in at once; try again in a moment.")
        _waiting += 1

    def __exit__(self, *_: object) -> None:
        global _waiting
        _waiting -= 1


@cache
def nobody() -> str:
    """A hash that no password has, to spend the same time on."""
    return _hasher.hash("nobody has this password")


def _normal(password: str) -> str:
    return unicodedata.normalize("NFKC", password)
