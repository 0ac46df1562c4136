"""``stellar jobs``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..commands.groups import Group
from ..commands.opened import opened
from ..commands.options import data_option, json_option
from ..commands.tables import print_json, print_table
from .completion import complete_failed, complete_open

if TYPE_CHECKING:
    from .control import JobView, State

STATES = ("running", "queued", "scheduled", "failed")
QUEUES = ("deployments", "backups")
PAGE = 200


@click.group(cls=Group)
def jobs() -> None:
    """List, retry, cancel and delete the jobs of the worker."""


@jobs.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--queue", type=click.Choice(QUEUES), help="Only those of this queue.")
@data_option
@json_option
def list_(state: State | None, queue: str | None, data: Path | None, as_json: bool) -> None:
    """List the jobs that run, wait or have failed."""
    from .control import listing

    found: list[JobView] = []
    with opened(data):
        page = 1
        while True:
            part = listing(state, queue, page, PAGE)
            found += part.jobs
            if page * PAGE >= part.total:
                break
            page += 1
    if as_json:
        print_json(found)
        return
    rows = [(job.id, job.name, job.queue, job.state, job.created_at, job.error or "") for job in found]
    print_table(("ID", "JOB", "QUEUE", "STATE", "SINCE", "ERROR"), rows, "There are no such jobs.")


@jobs.command()
@click.argument("job", shell_complete=complete_failed)
@data_option
def retry(job: str, data: Path | None) -> None:
    """Queue the failed JOB (an id) again."""
    from .. import audit
    from ..auth.permissions import SYSTEM
    from . import control

    with opened(data):
        found = control.retry(job)
        audit.record(SYSTEM, "job.retry", target_type="job", target_id=job, details={"name": found.name})
    click.echo(f"{found.name} is queued again.")


@jobs.command()
@click.argument("job", shell_complete=complete_open)
@data_option
def cancel(job: str, data: Path | None) -> None:
    """Take the waiting JOB (an id) out of its queue, or stop it if it runs."""
    from .. import audit
    from ..auth.permissions import SYSTEM
    from . import control

    with opened(data):
        found = control.show(job)
        control.cancel(job)
        audit.record(SYSTEM, "job.cancel", target_type="job", target_id=job, details={"name": found.name})
    click.echo(f"{found.name} is cancelled.")


@jobs.command()
@click.argument("job", shell_complete=complete_failed)
@data_option
def delete(job: str, data: Path | None) -> None:
    """Forget the failed JOB (an id)."""
    from .. import audit
    from ..auth.permissions import SYSTEM
    from . import control

    with opened(data):
        found = control.show(job)
        control.remove(job)
        audit.record(SYSTEM, "job.delete", target_type="job", target_id=job, details={"name": found.name})
    click.echo(f"{found.name} is forgotten.")
