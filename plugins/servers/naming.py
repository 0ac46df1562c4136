"""What a body's field names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from stellar.db import call
from stellar.errors import Invalid, NotFound

T = TypeVar("T")


async def named(field: str, find: Callable[[str], T], ref: str) -> T:
    """What ``find`` finds; ``Invalid`` with the field when there is no such thing."""
    try:
        return await call(find, ref)
    except NotFound as error:
        raise Invalid(error.message, fields={field: error.message}) from None
