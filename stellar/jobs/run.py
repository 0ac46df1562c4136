"""What rq calls for every job."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from rq.job import get_current_job

from ..db import database, disconnect
from ..errors import DomainError, NodeUnreachable, Unavailable
from . import UnknownJob, find
from .queues import CRASHES

PASSING = (NodeUnreachable, Unavailable)
"""Errors that another attempt may not meet; any other ``DomainError`` is an answer, and final."""


def run(name: str, kwargs: dict[str, Any]) -> None:
    """Call the registered function of the job ``name``, with a database connection of its own."""
    try:
        function = resolve(find(name).target)
        database.connect(reuse_if_open=True)
        function(**kwargs)
    except Exception as error:
        if _is_final(error):
            _give_up()
        raise
    finally:
        disconnect()


def resolve(target: str) -> Callable[..., object]:
    """The function that ``module:function`` names."""
    module, _, attribute = target.partition(":")
    function: Callable[..., object] = getattr(importlib.import_module(module), attribute)
    return function


def _is_final(error: Exception) -> bool:
    if isinstance(error, UnknownJob) or (isinstance(error, DomainError) and not isinstance(error, PASSING)):
        return True
    job = get_current_job()
    return job is None or (job.retries_left or 0) <= CRASHES


def _give_up() -> None:
    """The retries that are left are for crashes of the worker, not for this."""
    job = get_current_job()
    if job is not None:
        job.retries_left = 0
