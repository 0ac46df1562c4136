"""What a person, or a script, is told when a command fails."""

from __future__ import annotations

import errno
import sys

import click
import msgspec

from ..errors import DomainError

OUTPUT = (errno.ENOSPC, errno.EIO, errno.EDQUOT)


def tell(error: Exception) -> bool:
    """Say on standard error why a command ends: a sentence, or JSON with ``--json``; False for a mistake of ours."""
    if isinstance(error, DomainError):
        found = error
    elif (text := _sentence(error)) is not None:
        found = DomainError(text, code="unavailable")
    else:
        return False
    if "--json" in sys.argv[1:]:
        answer = {"code": found.code, "message": found.message, "fields": found.fields}
        click.echo(msgspec.json.encode(answer), err=True)
        return True
    click.echo(f"stellar: {found.message}", err=True)
    for name, problem in found.fields.items():
        if problem != found.message:
            click.echo(f"  {name}: {problem}", err=True)
    return True


def _sentence(error: Exception) -> str | None:
    import redis

    from ..db import is_away

    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return "Redis does not answer; check that it runs (`stellar run` brings its own), then try again."
    if isinstance(error, redis.RedisError):
        return f"Redis refuses: {error}."
    if is_away(error):
        reason = str(error).strip().splitlines()[0]
        return f"The database does not do this: {reason}; `stellar config check` says whether it is reachable."
    if isinstance(error, PermissionError) and error.filename:
        return f"You may not use {error.filename}; run this as the user whose panel it is."
    if isinstance(error, OSError) and error.errno in OUTPUT:
        return f"This can't be written: {error.strerror}."
    return None
