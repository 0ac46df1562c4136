"""The API of the worker's jobs."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.db import call
from stellar.extend.registry import RouteRegistrar
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.jobs import control
from stellar.jobs.control import JobPage, JobView

READ, MANAGE = "jobs.read", "jobs.manage"


class JobsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """``state`` and ``queue`` narrow the list; finished jobs are only found by their id."""

    state: Literal["queued", "running", "scheduled", "failed"] | None = None
    queue: Literal["deployments", "backups"] | None = None
    page: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1
    size: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/admin/jobs", Jobs())
    routes.add("/admin/jobs/{job_id}", OneJob())
    routes.add("/admin/jobs/{job_id}/retry", Retry())
    routes.add("/admin/jobs/{job_id}/cancel", Cancel())


class Jobs:
    """``/admin/jobs``"""

    @endpoint(permission=READ, query=JobsQuery, returns=JobPage)
    async def on_get(self, req: Request, query: JobsQuery) -> JobPage:
        """List the jobs that run, wait, are scheduled or have failed."""
        return await call(control.listing, query.state, query.queue, query.page, query.size)


class OneJob:
    """``/admin/jobs/{job_id}``"""

    @endpoint(permission=READ, returns=JobView)
    async def on_get(self, req: Request, job_id: str) -> JobView:
        """Show a job."""
        return await call(control.show, job_id)

    @endpoint(permission=MANAGE)
    async def on_delete(self, req: Request, job_id: str) -> None:
        """Forget a job that has ended."""
        await call(_remove, req.actor, job_id)


class Retry:
    """``/admin/jobs/{job_id}/retry``"""

    @endpoint(permission=MANAGE, returns=JobView, status=202)
    async def on_post(self, req: Request, job_id: str) -> JobView:
        """Queue a failed job again."""
        return await call(_retry, req.actor, job_id)


class Cancel:
    """``/admin/jobs/{job_id}/cancel``"""

    @endpoint(permission=MANAGE)
    async def on_post(self, req: Request, job_id: str) -> None:
        """Take a waiting job out of its queue; a running one is stopped within seconds."""
        await call(_cancel, req.actor, job_id)


def _retry(actor: Actor, job_id: str) -> JobView:
    done = control.retry(job_id)
    _record(actor, "job.retry", done)
    return done


def _cancel(actor: Actor, job_id: str) -> None:
    job = control.show(job_id)
    control.cancel(job_id)
    _record(actor, "job.cancel", job)


def _remove(actor: Actor, job_id: str) -> None:
    job = control.show(job_id)
    control.remove(job_id)
    _record(actor, "job.delete", job)


def _record(actor: Actor, action: str, job: JobView) -> None:
    details = {"name": job.name, "arguments": job.arguments}
    audit.record(actor, action, target_type="job", target_id=job.id, details=details)
