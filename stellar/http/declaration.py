"""What an endpoint declares about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from ..bus.ratelimit import Limit

SIGNED_IN = "signed_in"
"""The permission that any signed-in user has."""

MAX_BODY = 256 * 1024
"""Bytes of JSON, unless an endpoint declares otherwise."""

ATTRIBUTE = "__endpoint__"


@dataclass(frozen=True, eq=False)
class Declaration:
    """One endpoint; see ``endpoint``."""

    permission: str | None
    body: Any = None
    query: type[msgspec.Struct] | None = None
    returns: Any = None
    status: int = 200
    limit: Limit | None = None
    audit: str | None = None
    max_body: int = MAX_BODY
    csrf: bool = True
    name: str = ""
    summary: str = ""
    is_websocket: bool = False
    keys: bool = False
    uploads: tuple[str, ...] = ()
    downloads: tuple[str, ...] = ()
    problems: tuple[int, ...] = ()


def of(responder: Callable[..., Any]) -> Declaration | None:
    """The declaration of a responder, if it has one."""
    return getattr(responder, ATTRIBUTE, None)


def describe(function: Callable[..., Any]) -> tuple[str, str]:
    """A function's qualified name and the first line of its docstring."""
    doc = (function.__doc__ or "").strip()
    return f"{function.__module__}.{function.__qualname__}", doc.split("\n", 1)[0].rstrip(".")
