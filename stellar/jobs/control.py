"""Looking at jobs and steering them: for administrators and the command line. Plain sync functions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, cast

import msgspec
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus
from rq.registry import BaseRegistry, FailedJobRegistry, ScheduledJobRegistry, StartedJobRegistry

from ..bus import connections, names, sync
from ..errors import Conflict, NotFound
from . import UnknownJob, find, news
from .queues import CRASHES, SERIALIZER, queue
from .run import resolve

State = Literal["queued", "running", "scheduled", "failed", "finished"]
SHOWN: tuple[State, ...] = ("running", "queued", "scheduled", "failed")
QUEUES = (names.QUEUE_DEPLOYMENTS, names.QUEUE_BACKUPS)
CANCEL_SECONDS = 3600
CANCELLED = "It was cancelled."
HIDDEN = "********"

_SECRET = re.compile(r"password|secret|token|key\Z|code\Z", re.IGNORECASE)
_STATES: dict[JobStatus | None, State] = {
    JobStatus.STARTED: "running",
    JobStatus.SCHEDULED: "scheduled",
    JobStatus.FAILED: "failed",
    JobStatus.STOPPED: "failed",
    JobStatus.FINISHED: "finished",
}


class JobView(msgspec.Struct):
    """A job; times are aware UTC. ``error`` is why it failed last, ``retries_left`` how often it is tried again."""

    id: str
    name: str
    queue: str
    state: State
    arguments: dict[str, Any]
    retries_left: int
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    scheduled_for: datetime | None
    error: str | None

    __example__: ClassVar[dict[str, Any]] = {
        "name": "servers.delete",
        "queue": "deployments",
        "state": "failed",
        "error": "The node does not answer.",
        "scheduled_for": None,
    }


class JobPage(msgspec.Struct):
    """Some jobs and how many there are: running ones first, then queued, scheduled and failed ones."""

    jobs: list[JobView]
    total: int


def listing(state: State | None = None, queue_name: str | None = None, page: int = 1, size: int = 50) -> JobPage:
    """The jobs of a state and queue; ``Unavailable`` without Redis."""
    try:
        found_ids = _ids(SHOWN if state is None else (state,), QUEUES if queue_name is None else (queue_name,))
        # A job that moves on while the lists are read, one after the other, is found in two of them.
        ids = list(dict.fromkeys(found_ids))
        wanted = ids[(page - 1) * size : page * size]
        found = Job.fetch_many(wanted, connection=sync.client(), serializer=SERIALIZER) if wanted else []
        return JobPage([_view(job) for job in found if job is not None], len(ids))
    except connections.Gone:
        raise connections.away() from None


def show(job_id: str) -> JobView:
    """One job; ``NotFound``."""
    return _view(_job(job_id))


def retry(job_id: str) -> JobView:
    """Queue a failed job again, with all the retries that it was registered with; ``Conflict`` for any other."""
    job = _job(job_id)
    try:
        retries = find(_name(job)).retries
    except UnknownJob:
        raise Conflict("No active plugin knows this job any more; it can only be deleted.") from None
    job.retries_left = retries + CRASHES
    try:
        FailedJobRegistry(queue=queue(job.origin)).requeue(job)
    except InvalidJobOperation:
        raise Conflict(f"The job is {_state(job)}; only a failed one can be tried again.", code="not_failed") from None
    except connections.Gone:
        raise connections.away() from None
    return show(job_id)


def cancel(job_id: str) -> None:
    """Take a waiting job out of its queue, or have the worker stop a running one within seconds.

    ``Conflict`` for one that has ended.
    """
    job = _job(job_id)
    source, client = queue(job.origin), sync.client()
    try:
        waited = client.lrem(source.key, 1, job.id) or client.zrem(ScheduledJobRegistry(queue=source).key, job.id)
        if waited:
            job.delete(remove_from_queue=False)
            _tell_cancelled(job)
            return
        if _state(job) not in ("running", "queued"):
            raise Conflict(f"The job has {_state(job)}; there is nothing to cancel.", code="job_ended")
        client.set(names.job_cancel(job.id), b"1", ex=CANCEL_SECONDS)
    except connections.Gone:
        raise connections.away() from None


def _tell_cancelled(job: Job) -> None:
    try:
        target = find(_name(job)).cancelled
    except UnknownJob:
        return
    if target:
        resolve(target)(**job.args[1])


def remove(job_id: str) -> None:
    """Forget a job that has failed or finished; ``Conflict`` for one that waits or runs."""
    job = _job(job_id)
    if _state(job) not in ("failed", "finished"):
        raise Conflict(f"The job is {_state(job)}; cancel it first.", code="job_not_ended")
    try:
        job.delete()
    except connections.Gone:
        raise connections.away() from None


def reason(job: Job) -> str | None:
    """Why a job failed last, in a line."""
    if job.get_status(refresh=False) == JobStatus.STOPPED:
        return CANCELLED
    result = job.latest_result()
    lines = (result.exc_string or "").strip().splitlines() if result is not None else []
    return lines[-1].strip()[:500] if lines else None


def _ids(states: Iterable[State], queues: Iterable[str]) -> Iterable[str]:
    for state in states:
        for name in queues:
            source = queue(name)
            if state == "queued":
                yield from source.get_job_ids()
                yield from _text(sync.client().lrange(source.intermediate_queue_key, 0, -1))
            elif (registry := _registry(state, name)) is not None:
                yield from registry.get_job_ids(desc=state == "failed", cleanup=False)


def _registry(state: State, name: str) -> BaseRegistry | None:
    kinds: dict[str, type[BaseRegistry]] = {
        "running": StartedJobRegistry,
        "scheduled": ScheduledJobRegistry,
        "failed": FailedJobRegistry,
    }
    return kinds[state](queue=queue(name)) if state in kinds else None


def _text(found: Any) -> list[str]:
    return [value.decode() for value in found]


def _job(job_id: str) -> Job:
    try:
        return Job.fetch(job_id, connection=sync.client(), serializer=SERIALIZER)
    except (NoSuchJobError, ValueError):
        raise NotFound("There is no such job.") from None
    except connections.Gone:
        raise connections.away() from None


def _state(job: Job) -> State:
    return _STATES.get(job.get_status(refresh=False), "queued")


def _name(job: Job) -> str:
    return cast(str, job.args[0])


def _view(job: Job) -> JobView:
    state = _state(job)
    due: Any = sync.client().zscore(ScheduledJobRegistry(queue=queue(job.origin)).key, job.id)
    return JobView(
        id=job.id,
        name=_name(job),
        queue=job.origin,
        state=state,
        arguments={name: HIDDEN if _SECRET.search(name) else value for name, value in job.args[1].items()},
        retries_left=max(0, (job.retries_left or 0) - CRASHES),
        created_at=_aware(job.created_at),
        started_at=_aware(job.started_at),
        ended_at=_aware(job.ended_at),
        scheduled_for=None if due is None else datetime.fromtimestamp(due, UTC),
        error=_shown(reason(job)) if state in ("failed", "scheduled") else None,
    )


def _shown(error: str | None) -> str | None:
    return error and (news.sentence(error) or error)


def _aware(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at
