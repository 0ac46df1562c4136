"""Structs that are kept in Redis for some seconds, under the keys of ``names``.

A cache is only ever a short cut: without Redis it is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import msgspec
import redis
import redis.asyncio

from .connections import Gone

T = TypeVar("T")


async def put(client: redis.asyncio.Redis, key: str, value: Any, ttl: int) -> None:
    """Keep a struct for ``ttl`` seconds."""
    try:
        await client.set(key, msgspec.json.encode(value), ex=ttl)
    except Gone:
        return


async def get(client: redis.asyncio.Redis, key: str, type_: type[T]) -> T | None:
    """The struct, or None when there is none (or none that can be read)."""
    return (await get_many(client, [key], type_))[0]


async def get_many(client: redis.asyncio.Redis, keys: Sequence[str], type_: type[T]) -> list[T | None]:
    """The struct of each key, in order."""
    if not keys:
        return []
    try:
        values = cast("list[bytes | None]", await client.mget(keys))
    except Gone:
        return [None] * len(keys)
    return [_decode(value, type_) for value in values]


def get_many_sync(client: redis.Redis, keys: Sequence[str], type_: type[T]) -> list[T | None]:
    """``get_many`` for sync code."""
    if not keys:
        return []
    try:
        values = cast("list[bytes | None]", client.mget(keys))
    except Gone:
        return [None] * len(keys)
    return [_decode(value, type_) for value in values]


def _decode(value: bytes | None, type_: type[T]) -> T | None:
    if value is None:
        return None
    try:
        return msgspec.json.decode(value, type=type_)
    except msgspec.MsgspecError:
        return None
