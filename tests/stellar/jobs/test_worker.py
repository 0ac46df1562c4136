from __future__ import annotations

import os
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path

import job_parts
import pytest
from rq.job import Job, JobStatus

from stellar import jobs
from stellar.bus import sync
from stellar.jobs.queues import queue
from stellar.testing.valkey import ValkeyServer
from stellar.testing.waiting import wait_until


@pytest.fixture
def url(redis_url: str) -> Iterator[str]:
    job_parts.init(redis_url)
    yield redis_url
    sync.close()


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def status(job_id: str) -> JobStatus:
    return Job.fetch(job_id, connection=sync.client(), serializer="json").get_status()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_jobs_wait_under_the_contracts_keys_and_hold_no_pickle(url: str, valkey: ValkeyServer) -> None:
    jobs.enqueue("test.note", {"path": "p"})
    jobs.enqueue("test.backup", {"path": "p"})
    with valkey.client() as client:
        (first,), (second,) = client.lrange("queue:deployments", 0, -1), client.lrange("queue:backups", 0, -1)
        assert not client.keys("rq:queue:*")
        assert b'"test.note"' in zlib.decompress(client.hget(b"rq:job:" + first, "data"))
        assert first != second


def test_a_job_runs_in_a_process_of_its_own_with_the_database(url: str, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    with job_parts.worker(url, tmp_path) as worker:
        first = jobs.enqueue("test.query", {"path": str(marks)})
        second = jobs.enqueue("test.backup", {"path": str(marks), "text": "backup"})
        wait_until(lambda: status(first) == status(second) == JobStatus.FINISHED)
        texts, pids = zip(*(line.split() for line in lines(marks)), strict=True)
        assert set(texts) == {"42", "backup"}
        assert len({*pids, str(worker.pid)}) == 3


def test_a_failure_is_retried_later_through_the_same_queue(url: str, tmp_path: Path, valkey: ValkeyServer) -> None:
    marks = tmp_path / "marks"
    job_id = jobs.enqueue("test.unreachable", {"path": str(marks)})
    with valkey.client() as client:
        with job_parts.worker(url, tmp_path):
            wait_until(lambda: client.zscore("rq:scheduled:deployments", job_id))
        assert len(lines(marks)) == 1
        client.zadd("rq:scheduled:deployments", {job_id: 1})
        with job_parts.worker(url, tmp_path):
            wait_until(lambda: status(job_id) == JobStatus.FAILED)
        assert len(lines(marks)) == 2
        assert client.smembers("rq:queues") == {b"queue:deployments"}
        assert not client.keys("rq:queue:*")


def test_a_delayed_job_comes_when_it_is_due(url: str, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    late = jobs.enqueue("test.note", {"path": str(marks), "text": "late"}, delay=1.0)
    soon = jobs.enqueue("test.note", {"path": str(marks), "text": "soon"})
    with job_parts.worker(url, tmp_path):
        wait_until(lambda: status(late) == status(soon) == JobStatus.FINISHED)
    assert [line.split()[0] for line in lines(marks)] == ["soon", "late"]


@pytest.mark.parametrize("name", ["test.refused", "test.absent"])
def test_an_answer_of_the_rules_is_final(url: str, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(jobs._jobs, "test.absent", job_parts.Job("test", "test.absent", "x:y", retries=3))
    job_id = jobs.enqueue(name, {"path": str(tmp_path / "marks")})
    with job_parts.worker(url, tmp_path):
        wait_until(lambda: status(job_id) == JobStatus.FAILED)
    assert len(lines(tmp_path / "marks")) <= 1


def test_a_job_that_kills_its_process_is_tried_three_times_and_then_failed(url: str, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    job_id = jobs.enqueue("test.dies", {"path": str(marks)})
    with job_parts.worker(url, tmp_path):
        wait_until(lambda: status(job_id) == JobStatus.FAILED)
    assert len(lines(marks)) == 3


def test_a_killed_workers_job_dies_with_it_and_is_done_by_the_next(url: str, tmp_path: Path) -> None:
    marks, release = tmp_path / "marks", tmp_path / "release"
    job_id = jobs.enqueue("test.hangs", {"path": str(marks), "release": str(release)})
    with job_parts.worker(url, tmp_path) as worker:
        wait_until(lambda: lines(marks))
        worker.kill()
    horse = int(lines(marks)[0].split()[1])
    wait_until(lambda: not is_alive(horse), what="the end of the job's process")
    release.touch()
    with job_parts.worker(url, tmp_path):
        wait_until(lambda: status(job_id) == JobStatus.FINISHED)
    assert [line.split()[0] for line in lines(marks)] == ["ran", "ran", "done"]


def test_a_worker_that_may_be_alive_elsewhere_keeps_its_job_until_its_lease_ends(url: str, tmp_path: Path) -> None:
    marks, release = tmp_path / "marks", tmp_path / "release"
    job_id = jobs.enqueue("test.hangs", {"path": str(marks), "release": str(release)})
    with job_parts.worker(url, tmp_path):
        wait_until(lambda: lines(marks))
        with job_parts.worker(url, tmp_path):
            other = jobs.enqueue("test.note", {"path": str(tmp_path / "other")})
            wait_until(lambda: status(other) == JobStatus.FINISHED)
            release.touch()
            wait_until(lambda: status(job_id) == JobStatus.FINISHED)
    assert [line.split()[0] for line in lines(marks)] == ["ran", "done"]


def test_sigterm_ends_an_idle_worker(url: str, tmp_path: Path) -> None:
    with job_parts.worker(url, tmp_path) as worker:
        wait_until(lambda: sync.client().keys("rq:worker:*"))
        worker.terminate()
        assert worker.wait(timeout=5) == 0
    assert not sync.client().smembers("rq:workers")


def test_sigterm_lets_a_job_finish_or_puts_it_back_with_all_its_retries(url: str, tmp_path: Path) -> None:
    marks, release = tmp_path / "marks", tmp_path / "release"
    job_id = jobs.enqueue("test.hangs", {"path": str(marks), "release": str(release)})
    retries = Job.fetch(job_id, connection=sync.client(), serializer="json").retries_left
    with job_parts.worker(url, tmp_path) as worker:
        wait_until(lambda: lines(marks))
        jobs.enqueue("test.note", {"path": str(tmp_path / "other")})
        worker.terminate()
        assert worker.wait(timeout=10) == 0
    assert sync.client().lindex("queue:deployments", 0) == job_id.encode()
    assert Job.fetch(job_id, connection=sync.client(), serializer="json").retries_left == retries
    with job_parts.worker(url, tmp_path) as worker:
        wait_until(lambda: len(lines(marks)) == 2)
        worker.send_signal(signal.SIGTERM)
        release.touch()
        assert worker.wait(timeout=10) == 0
    assert status(job_id) == JobStatus.FINISHED


def test_a_worker_waits_for_redis_to_come_back(own_valkey: ValkeyServer, tmp_path: Path) -> None:
    job_parts.init(own_valkey.url)
    marks = tmp_path / "marks"
    with job_parts.worker(own_valkey.url, tmp_path):
        first = jobs.enqueue("test.note", {"path": str(marks)})
        wait_until(lambda: status(first) == JobStatus.FINISHED)
        own_valkey.stop()
        own_valkey.start()
        second = jobs.enqueue("test.note", {"path": str(marks)})
        wait_until(lambda: status(second) == JobStatus.FINISHED)
    sync.close()


def test_one_job_per_id(url: str) -> None:
    assert jobs.enqueue("test.note", {"path": "p"}, job_id="slot-1") == "slot-1"
    assert jobs.enqueue("test.note", {"path": "p"}, job_id="slot-1") == "slot-1"
    assert jobs.enqueue("test.note", {"path": "p"}, job_id="slot-2", delay=60) == "slot-2"
    assert jobs.enqueue("test.note", {"path": "p"}, job_id="slot-2", delay=60) == "slot-2"
    assert len(queue("deployments")) == 1
    assert queue("deployments").scheduled_job_registry.get_job_ids() == ["slot-2"]


def test_an_unregistered_job_is_refused(url: str) -> None:
    with pytest.raises(jobs.UnknownJob, match="nobody"):
        jobs.enqueue("nobody.knows", {})
