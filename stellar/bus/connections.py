"""Redis clients from a URL: ``unix://``, ``redis://`` and ``rediss://``.

Every client speaks RESP2 and answers bytes (rq needs bytes), retries a lost connection and checks idle ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from ..errors import SetupError, Unavailable

SCHEMES = ("unix", "redis", "rediss")
POOL_SIZE = 16
CONNECT_SECONDS = 3.0
COMMAND_SECONDS = 5.0
RETRIES = 3
LOST = (redis.ConnectionError,)
"""What is retried; a Redis that is silent for ``COMMAND_SECONDS`` would be so again, while people wait."""

Gone = (redis.ConnectionError, redis.TimeoutError, OSError)
"""What redis-py raises when the server is away; ``away()`` is the error for a person."""


class _Cancellable(AbstractConnection):
    """Sends under ``asyncio.timeout``: redis-py uses ``wait_for``, which swallows a cancellation in Python 3.11.

    A task whose cancellation is lost runs on, and whoever waits for its end hangs.
    """

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        limit, self.socket_timeout = self.socket_timeout, None
        try:
            async with asyncio.timeout(limit):
                await super().send_packed_command(command, check_health)
        except TimeoutError:
            raise redis.TimeoutError("Timeout writing to socket") from None
        finally:
            self.socket_timeout = limit


class _Tcp(_Cancellable, Connection):
    pass


class _Tls(_Cancellable, SSLConnection):
    pass


class _Unix(_Cancellable, UnixDomainSocketConnection):
    pass


_CLASSES: dict[str, type[AbstractConnection]] = {"redis": _Tcp, "rediss": _Tls, "unix": _Unix}


def async_client(url: str, *, connections: int = POOL_SIZE) -> redis.asyncio.Redis:
    """A client for requests; a caller waits up to 5 s for one of its ``connections``."""
    check_url(url)
    retry = AsyncRetry(ExponentialBackoff(cap=0.5, base=0.02), RETRIES, LOST)
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url, max_connections=connections, timeout=COMMAND_SECONDS, retry=retry, **_options(url)
    )
    pool.connection_class = _CLASSES[urlsplit(url).scheme]
    return redis.asyncio.Redis.from_pool(pool)


def subscriber(url: str) -> AbstractConnection:
    """A connection of its own for subscriptions: it may be silent for ever, and never reconnects behind our back."""
    check_url(url)
    options = {**_options(url), "socket_timeout": None, "health_check_interval": 0}
    pool = redis.asyncio.ConnectionPool.from_url(url, max_connections=1, retry=AsyncRetry(NoBackoff(), 0), **options)
    connection: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
    return connection


def sync_client(url: str, *, connections: int = 4) -> redis.Redis:
    """A client for services, jobs and commands; a thread waits up to 5 s for one of its ``connections``."""
    check_url(url)
    retry = Retry(ExponentialBackoff(cap=0.5, base=0.02), RETRIES, LOST)
    pool = redis.BlockingConnectionPool.from_url(
        url, max_connections=connections, timeout=COMMAND_SECONDS, retry=retry, **_options(url)
    )
    return redis.Redis.from_pool(pool)


def sync_subscriber(url: str) -> redis.Redis:
    """A client whose connections only wait for messages, as many as there are waiting threads."""
    check_url(url)
    options = {**_options(url), "socket_timeout": None, "health_check_interval": 0}
    pool = redis.ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 0), **options)
    return redis.Redis.from_pool(pool)


def check_url(url: str) -> None:
    """``SetupError`` unless the URL is one that we can use."""
    scheme = urlsplit(url).scheme
    if scheme.startswith("redis+"):
        raise SetupError(f"redis.url: {scheme}:// is not supported; give the address of one Redis server (redis://…).")
    if scheme not in SCHEMES:
        raise SetupError("redis.url has to begin with redis://, rediss:// or unix://.")


def check_reachable(url: str) -> None:
    """``SetupError`` when nothing answers at the URL, after some attempts."""
    client = sync_client(url, connections=1)
    try:
        client.ping()
    except redis.AuthenticationError:
        raise SetupError("Redis refuses the password; check redis.url.") from None
    except Gone:
        raise SetupError(
            "Redis does not answer at redis.url; check that it runs and that the address is right."
        ) from None
    finally:
        client.close()


def away() -> Unavailable:
    """The error for callers when Redis doesn't answer."""
    return Unavailable("Redis does not answer; check that it runs, then try again.", code="redis_unavailable")


def _options(url: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "protocol": 2,
        "driver_info": None,
        "socket_timeout": COMMAND_SECONDS,
        "socket_connect_timeout": CONNECT_SECONDS,
        "health_check_interval": 15,
    }
    if urlsplit(url).scheme != "unix":
        options["socket_keepalive"] = True
    return options
