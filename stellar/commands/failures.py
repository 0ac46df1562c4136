"""What a person is told when something outside of Stellar fails under a command."""

from __future__ import annotations


def sentence(error: Exception) -> str | None:
    """One sentence for a database or Redis that is away; None for what is a mistake of ours."""
    import peewee
    import redis

    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return "Redis does not answer; check that it runs (`stellar run` brings its own), then try again."
    if isinstance(error, redis.RedisError):
        return f"Redis refuses: {error}."
    if isinstance(error, peewee.OperationalError | peewee.InterfaceError):
        reason = str(error).strip().splitlines()[0]
        return f"The database does not do this: {reason}; `stellar config check` says whether it is reachable."
    return None
