"""The rq queues. Whatever imports rq imports it through here, because the key prefix is set on rq's own class.

A subclass with another prefix would not do: rq makes plain ``Queue`` objects for retries and abandoned jobs.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from redis import Redis
from rq.exceptions import DuplicateJobError
from rq.job import Job, Retry
from rq.queue import Queue

from ..bus import connections, names, sync
from . import news

Queue.redis_queue_namespace_prefix = names.QUEUE_PREFIX

SERIALIZER = "json"
ENTRY = "stellar.jobs.run.run"
RESULT_SECONDS = 3600
FAILURE_SECONDS = 7 * 24 * 3600
CRASHES = 2
"""How often a job is run again because its worker died, besides the retries that it was registered with."""


def queue(name: str, client: Redis | None = None) -> Queue:
    """One of the queues, on the process's Redis client unless another is given."""
    return Queue(name, connection=client or sync.client(), serializer=SERIALIZER)


def put(
    queue_name: str,
    name: str,
    kwargs: dict[str, Any],
    *,
    timeout: int,
    retries: int,
    job_id: str | None,
    delay: float,
) -> str:
    """See ``stellar.jobs.enqueue``."""
    try:
        target = queue(queue_name)
        job = target.create_job(
            ENTRY,
            args=[name, kwargs],
            timeout=timeout,
            result_ttl=RESULT_SECONDS,
            failure_ttl=FAILURE_SECONDS,
            description=name,
            job_id=job_id or uuid.uuid4().hex,
            retry=Retry(max=retries + CRASHES, interval=_intervals(retries)),
        )
        _send(target, job, delay, unique=job_id is not None)
    except DuplicateJobError:
        return job.id
    except connections.Gone:
        raise connections.away() from None
    news.tell("scheduled" if delay > 0 else "queued", job.id, name, kwargs)
    return job.id


def _send(target: Queue, job: Job, delay: float, *, unique: bool) -> None:
    if delay > 0:
        from rq.utils import now

        target.schedule_job(job, now() + timedelta(seconds=delay), unique=unique)
        return
    target.enqueue_job(job, unique=unique)


def _intervals(retries: int) -> list[int]:
    """Seconds before each retry: 2, 8, 32, … at most 5 minutes; those for crashes are at once."""
    return [min(2 * 4**attempt, 300) for attempt in range(retries)] + [0] * CRASHES
