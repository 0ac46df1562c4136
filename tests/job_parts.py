"""A worker process with jobs that write down that they ran; run as a script: ``job_parts.py REDIS_URL DIRECTORY``."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from stellar import db, jobs
from stellar.bus import sync
from stellar.errors import Conflict, NodeUnreachable
from stellar.extend.registry import Job

JOBS = [
    Job("test", "test.note", "job_parts:note"),
    Job("test", "test.backup", "job_parts:note", queue="backups"),
    Job("test", "test.fails", "job_parts:fails", retries=1),
    Job("test", "test.refused", "job_parts:refused", retries=3),
    Job("test", "test.unreachable", "job_parts:unreachable", retries=1),
    Job("test", "test.hangs", "job_parts:hangs"),
    Job("test", "test.dies", "job_parts:dies"),
    Job("test", "test.query", "job_parts:query"),
]


def note(path: str, text: str = "ran") -> None:
    with Path(path).open("a") as file:
        file.write(f"{text} {os.getpid()}\n")


def fails(path: str) -> None:
    note(path)
    raise ZeroDivisionError("a bug")


def refused(path: str) -> None:
    note(path)
    raise Conflict("It is installed already.")


def unreachable(path: str) -> None:
    note(path)
    raise NodeUnreachable("The node is away.")


def hangs(path: str, release: str) -> None:
    note(path)
    while not Path(release).exists():
        time.sleep(0.02)
    note(path, "done")


def dies(path: str) -> None:
    note(path)
    os.kill(os.getpid(), 9)


def query(path: str) -> None:
    note(path, str(db.database.execute_sql("select 40 + 2").fetchone()[0]))


def init(redis_url: str) -> None:
    sync.init(SimpleNamespace(redis_url=redis_url))
    jobs.init(JOBS)


@contextmanager
def worker(redis_url: str, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running worker; killed at the end."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen([sys.executable, __file__, redis_url, str(directory)], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    from stellar.jobs.worker import work

    init(sys.argv[1])
    db.connect(f"sqlite:///{sys.argv[2]}/test.db")
    db.database.connect()
    work(sys.argv[1])
