"""``stellar worker``: takes jobs from the queues and runs each in a forked process.

Forked, because then a job that hangs or eats memory can be killed, what it imports and leaks goes away with it, and
the worker stays small and keeps renewing the job's lease. Of rq's worker this replaces the main loop:

- a job is moved to rq's intermediate list, not popped, so that it can't be lost between Redis and its start;
- scheduled retries are queued by one atomic script from this same process: rq's scheduler is a second process;
- a lease of seconds, not minutes, says whether a worker lives, and its jobs are queued again when it doesn't.
"""

from __future__ import annotations

import gc
import logging
import os
import secrets
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis
from rq.exceptions import InvalidJobOperation
from rq.job import Job, JobStatus
from rq.queue import Queue
from rq.registry import StartedJobRegistry, clean_registries
from rq.worker import Worker, WorkerStatus
from rq.worker_registration import clean_worker_registry

from ..bus import connections, names
from ..db import disconnect
from ..errors import DomainError
from ..supervisor.lifeline import die_with_parent
from . import news
from .control import reason
from .queues import SERIALIZER, queue

if TYPE_CHECKING:
    from rq.executions import Execution

    from ..panel import Panel

log = logging.getLogger(__name__)

QUEUES = (names.QUEUE_DEPLOYMENTS, names.QUEUE_BACKUPS)
WAIT_SECONDS = 0.5
LEASE_SECONDS = 20
RENEW_SECONDS = 5
MAINTENANCE_SECONDS = 10
GRACE_SECONDS = 2.0
MAX_DELAY = 1.0

_TOLD = {JobStatus.FINISHED: "finished", JobStatus.QUEUED: "queued", JobStatus.SCHEDULED: "scheduled"}

DUE = """
local moved = 0
for i = 1, #KEYS, 2 do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], 0, ARGV[1], 'LIMIT', 0, 100)) do
    redis.call('ZREM', KEYS[i], id)
    redis.call('RPUSH', KEYS[i + 1], id)
    moved = moved + 1
  end
end
return moved
"""


def run_worker(panel: Panel) -> None:
    """Work until SIGTERM or SIGINT; then the current job gets 2 s to finish before it is queued again.

    The panel's ``open`` has been called.
    """
    panel.start()
    try:
        work(panel.config.redis_url)
    finally:
        panel.stop()


def work(redis_url: str) -> None:
    """Run the jobs that ``stellar.jobs`` knows, until a signal."""
    worker = _connect(connections.sync_client(redis_url))
    gc.collect()
    gc.freeze()
    worker.serve()


def _connect(client: redis.Redis) -> JobWorker:
    delay = 0.1
    while True:
        try:
            return JobWorker(client)
        except connections.Gone as error:
            log.warning("Redis does not answer (%s); trying again", error)
            time.sleep(delay)
            delay = min(delay * 2, MAX_DELAY)


def _host() -> str:
    """Names the set of processes whose pids we can look up."""
    with suppress(OSError):
        return f"{socket.gethostname()}.{Path('/proc/self/ns/pid').stat().st_ino}"
    return f"{socket.gethostname()}.0"


class JobWorker(Worker):
    """One worker process."""

    def __init__(self, client: redis.Redis, *, grace: float = GRACE_SECONDS) -> None:
        super().__init__(
            [queue(name, client) for name in QUEUES],
            name=f"{_host()}.{os.getpid()}.{secrets.token_hex(4)}",
            connection=client,
            serializer=SERIALIZER,
            worker_ttl=LEASE_SECONDS,
            job_monitoring_interval=RENEW_SECONDS,
            log_job_description=False,
        )
        self.log.setLevel(logging.CRITICAL)
        self._grace = grace
        self._interrupted = False
        self._maintain_at = 0.0
        self._due = client.register_script(DUE)

    def serve(self) -> None:
        """Take and run jobs until a signal says stop."""
        self._install_signal_handlers()  # type: ignore[no-untyped-call]
        delay = 0.1
        while not self._stop_requested:
            try:
                self._work_once()
                delay = 0.1
            except connections.Gone as error:
                log.warning("Redis does not answer (%s); trying again", error)
                time.sleep(delay)
                delay = min(delay * 2, MAX_DELAY)
        with suppress(*connections.Gone):
            self.register_death()  # type: ignore[no-untyped-call]

    def _work_once(self) -> None:
        if time.monotonic() >= self._maintain_at:
            self._maintain()
        keys = [key for source in self.queues for key in (source.scheduled_job_registry.key, source.key)]
        self._due(keys=keys, args=[int(time.time())])
        taken = self._take()
        if taken is not None:
            self.execute_job(*taken)

    def _maintain(self) -> None:
        if self.birth_date is None:
            self.register_birth()  # type: ignore[no-untyped-call]
            self._end_leases_of_the_dead()
        self.heartbeat()
        lock = f"rq:maintenance:{names.QUEUE_PREFIX}"
        if self.connection.set(lock, self.name, nx=True, ex=MAINTENANCE_SECONDS):
            for source in self.queues:
                clean_registries(source)
                clean_worker_registry(source)
                source.intermediate_queue.cleanup(self, source)
            self.connection.delete(lock)
        self._maintain_at = time.monotonic() + MAINTENANCE_SECONDS

    def _end_leases_of_the_dead(self) -> None:
        """A worker of this host whose process is gone won't come back: don't wait for its lease to run out."""
        for other in Worker.all(connection=self.connection, serializer=SERIALIZER):
            host, _, rest = other.name.rpartition(".")[0].rpartition(".")
            if other.name == self.name or host != _host() or _is_alive(int(rest)):
                continue
            for execution in other.get_current_executions():
                for source in self.queues:
                    registry = StartedJobRegistry(queue=source)
                    self.connection.zadd(registry.key, {execution.composite_key: 1}, xx=True)
            other.register_death()

    def _take(self) -> tuple[Job, Queue] | None:
        """The next job, if one comes within half a second."""
        first, *others = self.queues
        taken = self.connection.blmove(first.key, first.intermediate_queue_key, WAIT_SECONDS)  # type: ignore[arg-type]
        source = first
        for source in others if taken is None else ():
            taken = self.connection.lmove(source.key, source.intermediate_queue_key)
            if taken is not None:
                break
        if taken is None:
            return None
        assert isinstance(taken, bytes)
        return self._fetch(taken.decode(), source)

    def _fetch(self, job_id: str, source: Queue) -> tuple[Job, Queue] | None:
        if self._stop_requested:
            with self.connection.pipeline() as pipeline:
                pipeline.lrem(source.intermediate_queue_key, 1, job_id)
                pipeline.lpush(source.key, job_id)
                pipeline.execute()
            return None
        job = source.fetch_job(job_id)
        if job is None:
            source.intermediate_queue.remove(job_id)
            return None
        return job, source

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Fork, wait, and record how it ended."""
        # rq's clean-up would forget a job whose worker died before the fork had marked it as started.
        job.set_status(JobStatus.STARTED)
        execution = self.prepare_execution(job)
        queue.intermediate_queue.remove(job.id)
        log.info("job %s (%s) starts", job.description, job.id)
        self._tell("started", job)
        self.fork_work_horse(job, queue)
        self.monitor_work_horse(job, queue, execution)
        self.connection.delete(names.job_cancel(job.id))
        self._tell_end(job)
        self.set_state(WorkerStatus.IDLE)

    def _tell_end(self, job: Job) -> None:
        try:
            status = job.get_status()
        except InvalidJobOperation:
            return
        if status in (JobStatus.FAILED, JobStatus.STOPPED):
            self._tell("failed", job, reason(job) or "")
        elif status in _TOLD:
            self._tell(_TOLD[status], job)

    def _tell(self, kind: str, job: Job, error: str | None = None) -> None:
        name, kwargs = job.args
        news.tell(kind, job.id, name, kwargs, error)

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Fork without a database connection, which parent and child would share."""
        disconnect()
        super().fork_work_horse(job, queue)

    def setup_work_horse_signals(self) -> None:
        """In the child: end with the worker, also when it is killed, or the job would run twice."""
        super().setup_work_horse_signals()  # type: ignore[no-untyped-call]
        die_with_parent(self.pid or 0)

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:
        """The lease on a job."""
        return LEASE_SECONDS

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Renew the lease, and stop the job if it has been cancelled; without Redis the job goes on."""
        with suppress(*connections.Gone):
            super().maintain_heartbeats(job, execution)
            if self.connection.exists(names.job_cancel(job.id)):
                log.info("job %s (%s) is cancelled", job.description, job.id)
                self._stopped_job_id = job.id
                self.kill_horse(signal.SIGKILL)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Log why a job failed: a sentence where the rules say no, a traceback otherwise."""
        error = exc_info[1]
        if isinstance(error, DomainError):
            log.warning("job %s (%s) failed: %s", job.description, job.id, error.message)
        else:
            log.error("job %s (%s) failed", job.description, job.id, exc_info=exc_info)

    def handle_work_horse_killed(self, job: Job, retpid: int, ret_val: int, rusage: Any) -> None:
        """A job that we killed in order to stop goes back to the head of its queue, with all of its retries."""
        if not self._interrupted:
            log.error("job %s (%s) was killed (wait status %s)", job.description, job.id, ret_val)
            return
        log.info("job %s (%s) goes back to its queue", job.description, job.id)
        job.retries_left = (job.retries_left or 0) + 1
        job.retry_intervals = None
        job.enqueue_at_front_on_retry = True

    def request_stop(self, signum: Any, frame: Any) -> None:
        """The first signal lets the job finish for a moment, a second one doesn't."""
        again, self._stop_requested = self._stop_requested, True
        timer = threading.Timer(0 if again else self._grace, self._interrupt)
        timer.daemon = True
        timer.start()

    def _interrupt(self) -> None:
        if self.horse_pid:
            self._interrupted = True
            self.kill_horse(signal.SIGKILL)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
