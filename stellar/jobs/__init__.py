"""Work that outlives a request: functions that plugins register, run by ``stellar worker``.

A job may run more than once (a worker may be killed in the middle of it), so it has to be repeatable, and it gets
ids, never objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..extend.registry import Job

_jobs: dict[str, Job] = {}


class UnknownJob(LookupError):
    """No active plugin has registered a job of that name."""


def init(jobs: Iterable[Job]) -> None:
    """Say which jobs there are (``panel.registry.jobs``); after ``stellar.bus.sync.init``."""
    _jobs.clear()
    _jobs.update({job.name: job for job in jobs})


def find(name: str) -> Job:
    """The registered job; ``UnknownJob`` without one."""
    try:
        return _jobs[name]
    except KeyError:
        raise UnknownJob(f"there is no job {name!r}; is its plugin active?") from None


def enqueue(
    name: str,
    kwargs: dict[str, Any],
    queue: str | None = None,
    *,
    job_id: str | None = None,
    delay: float = 0.0,
    retries: int | None = None,
) -> str:
    """Have the worker call the job ``name`` with ``kwargs`` (JSON: ids, no objects), ``delay`` seconds from now.

    It takes effect at once: inside a transaction, hand it to ``db.after_commit``. ``queue`` and ``retries`` default
    to what the job was registered with. With a ``job_id``, nothing is enqueued while a job of that id is known: one
    that waits, runs, ended within the last hour or failed within the last week. Returns the id; ``Unavailable``
    without Redis.
    """
    from . import queues

    job = find(name)
    return queues.put(
        queue or job.queue,
        name,
        kwargs,
        timeout=job.timeout,
        retries=job.retries if retries is None else retries,
        job_id=job_id,
        delay=delay,
    )
