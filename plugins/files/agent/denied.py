"""Files that a server's blueprint keeps from its owner: through the panel nobody writes, moves or deletes them."""

from __future__ import annotations

import logging
from functools import lru_cache

import regex
from pathspec.patterns.gitignore.base import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from stellar.errors import Forbidden
from stellar.plugins.servers.agent.beneath import parse
from stellar.plugins.servers.agent.server import Server

log = logging.getLogger(__name__)

MATCH_SECONDS = 0.05
"""For one pattern: it comes with a blueprint, which may be anybody's."""


def check_allowed(server: Server, *paths: str) -> None:
    """``Forbidden`` for a path that the denylist (gitignore patterns) names; ``Invalid`` for what is no path."""
    denylist = tuple(server.spec.denylist)
    for path in paths if denylist else ():
        shown = "/".join(part.decode(errors="replace") for part in parse(path))
        # With a slash, so that a pattern for directories finds the directory itself, too.
        if _is_denied(denylist, f"{shown}/"):
            raise Forbidden(f"“{shown}” can't be changed: the server's blueprint keeps it so.", code="denied_file")


def _is_denied(denylist: tuple[str, ...], path: str) -> bool:
    denied = False
    for pattern, include in _compiled(denylist):
        try:
            found = pattern.search(path, timeout=MATCH_SECONDS) is not None
        except TimeoutError:
            found, include = True, True  # noqa: PLW2901 what can't be told is kept
        denied = include if found else denied
    return denied


@lru_cache(maxsize=256)
def _compiled(denylist: tuple[str, ...]) -> list[tuple[regex.Pattern[str], bool]]:
    """The patterns, and whether each denies or, with ``!``, allows again; the last that matches decides."""
    found = []
    for line in denylist:
        try:
            pattern = GitIgnoreSpecPattern(line)
        except GitIgnorePatternError as error:
            log.warning("%r of a denylist is no pattern: %s", line, error)
            continue
        if pattern.regex is not None and pattern.include is not None:
            found.append((regex.compile(pattern.regex.pattern), pattern.include))
    return found
