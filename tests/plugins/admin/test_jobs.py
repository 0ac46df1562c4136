"""The worker's jobs, through the API and with a real worker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import job_parts
import pytest
import redis
from web_parts import WebServer

from stellar import jobs
from stellar.bus import names
from stellar.testing.waiting import wait_until

BASE = "/api/v1/admin/jobs"


@pytest.fixture
def queue_up(root: httpx.Client, web: WebServer) -> Iterator[Callable[..., str]]:
    """Enqueue a job that only this test knows."""
    jobs.init([*web.panel.registry.jobs, *job_parts.JOBS])
    yield jobs.enqueue
    jobs.init(web.panel.registry.jobs)


def found(root: httpx.Client, **query: Any) -> list[tuple[str, str]]:
    answer = root.get(BASE, params=query)
    assert answer.status_code == 200, answer.text
    return [(job["id"], job["state"]) for job in answer.json()["jobs"]]


def state(root: httpx.Client, job_id: str) -> str:
    return str(root.get(f"{BASE}/{job_id}").json().get("state", "gone"))


def test_they_are_listed_by_state_and_queue(root: httpx.Client, queue_up: Callable[..., str], tmp_path: Path) -> None:
    mark = str(tmp_path / "mark")
    waiting = queue_up("test.note", {"path": mark, "api_token": "x"})
    backup = queue_up("test.backup", {"path": mark})
    late = queue_up("test.note", {"path": mark}, delay=3600)
    assert found(root) == [(waiting, "queued"), (backup, "queued"), (late, "scheduled")]
    assert found(root, state="queued", queue="backups") == [(backup, "queued")]
    assert found(root, state="scheduled") == [(late, "scheduled")]
    assert found(root, page=2, size=2) == [(late, "scheduled")]
    shown = root.get(f"{BASE}/{waiting}").json()
    assert (shown["name"], shown["queue"]) == ("test.note", "deployments")
    assert shown["arguments"] == {"path": mark, "api_token": "********"}
    assert root.get(f"{BASE}/{late}").json()["scheduled_for"] is not None
    for query in ({"state": "done"}, {"queue": "x"}, {"page": "0"}, {"size": "1000"}, {"color": "red"}):
        assert root.get(BASE, params=query).status_code == 422, query


def test_one_that_moves_on_while_the_lists_are_read_is_listed_once(
    web: WebServer, root: httpx.Client, queue_up: Callable[..., str], tmp_path: Path
) -> None:
    moving = queue_up("test.note", {"path": str(tmp_path / "mark")}, delay=3600)
    with redis.Redis.from_url(web.panel.config.redis_url) as client:
        client.rpush("queue:deployments", moving)
        assert found(root) == [(moving, "scheduled")]
        assert root.get(BASE).json()["total"] == 1
        client.lrem("queue:deployments", 0, moving)


def test_waiting_ones_are_cancelled(
    web: WebServer, root: httpx.Client, queue_up: Callable[..., str], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    first = queue_up("test.note", {"path": str(mark), "text": "cancelled"})
    late = queue_up("test.note", {"path": str(mark), "text": "late"}, delay=1)
    last = queue_up("test.note", {"path": str(mark), "text": "last"})
    for job_id in (first, late):
        assert root.delete(f"{BASE}/{job_id}").json()["code"] == "job_not_ended"
        assert root.post(f"{BASE}/{job_id}/retry").json()["code"] == "not_failed"
        assert root.post(f"{BASE}/{job_id}/cancel").status_code == 204
        assert root.post(f"{BASE}/{job_id}/cancel").status_code == 404
    with job_parts.worker(web.panel.config.redis_url, tmp_path):
        wait_until(lambda: state(root, last) == "finished", what="the last job's end")
    assert [line.split()[0] for line in mark.read_text().splitlines()] == ["last"]
    actions = [entry["action"] for entry in root.get("/api/v1/admin/audit?target_type=job").json()["entries"]]
    assert actions == ["job.cancel", "job.cancel"]


def test_failed_ones_are_tried_again_and_forgotten(
    web: WebServer, root: httpx.Client, queue_up: Callable[..., str], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    job_id = queue_up("test.refused", {"path": str(mark)})
    with job_parts.worker(web.panel.config.redis_url, tmp_path):
        wait_until(lambda: state(root, job_id) == "failed", what="the failure")
        assert found(root, state="failed") == [(job_id, "failed")]
        assert root.get(f"{BASE}/{job_id}").json()["error"] == "It is installed already."
        assert root.post(f"{BASE}/{job_id}/cancel").json()["code"] == "job_ended"
        assert root.post(f"{BASE}/{job_id}/retry").status_code == 202
        wait_until(lambda: len(mark.read_text().splitlines()) == 2, what="the second attempt")
        wait_until(lambda: state(root, job_id) == "failed", what="the second failure")
    assert root.delete(f"{BASE}/{job_id}").status_code == 204
    assert found(root) == []
    for path in (f"{BASE}/{job_id}", f"{BASE}/..%2f..", f"{BASE}/*"):
        assert root.get(path).status_code == 404


def test_a_running_one_is_stopped(
    web: WebServer, root: httpx.Client, queue_up: Callable[..., str], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    job_id = queue_up("test.hangs", {"path": str(mark), "release": str(tmp_path / "never")})
    with job_parts.worker(web.panel.config.redis_url, tmp_path):
        wait_until(mark.exists, what="the job's start")
        wait_until(lambda: found(root, state="running") == [(job_id, "running")], what="it in the list")
        assert root.post(f"{BASE}/{job_id}/cancel").status_code == 204
        wait_until(lambda: state(root, job_id) == "failed", 20, "its end")
        assert root.get(f"{BASE}/{job_id}").json()["error"] == "It was cancelled."
        after = queue_up("test.note", {"path": str(mark)})
        wait_until(lambda: state(root, after) == "finished", what="the next job")


def test_what_becomes_of_a_job_is_an_event(
    web: WebServer, root: httpx.Client, queue_up: Callable[..., str], tmp_path: Path
) -> None:
    import redis

    mark = str(tmp_path / "mark")
    good = queue_up("test.note", {"path": mark})
    bad = queue_up("test.refused", {"path": mark})
    buggy = queue_up("test.fails", {"path": mark}, retries=0)
    client = redis.Redis.from_url(web.panel.config.redis_url)

    def told() -> list[tuple[str, str, str | None]]:
        rows: Any = client.xrange(names.FEED)
        events = [json.loads(fields[b"data"]) for _, fields in rows]
        jobs_ = [event for event in events if event["kind"].startswith("job.")]
        return [(event["id"], event["kind"], event["data"].get("error")) for event in jobs_]

    with job_parts.worker(web.panel.config.redis_url, tmp_path):
        wait_until(lambda: len(told()) == 9, what="all that there is to tell")
    client.close()
    for job_id, end in (
        (good, ("job.finished", None)),
        (bad, ("job.failed", "It is installed already.")),
        (buggy, ("job.failed", "It failed; the worker's log says why.")),
    ):
        seen = [(kind, error) for one, kind, error in told() if one == job_id]
        assert seen == [("job.queued", None), ("job.started", None), end]


def test_only_those_who_may(web: WebServer, queue_up: Callable[..., str]) -> None:
    job_id = queue_up("test.note", {"path": "p"})
    with web.signed_in("eve@example.com") as eve, web.signed_in("help@example.com", "support") as helper:
        assert eve.get(BASE).status_code == 403
        assert helper.get(BASE).status_code == 200
        for client in (eve, helper):
            assert client.post(f"{BASE}/{job_id}/retry").status_code == 403
            assert client.post(f"{BASE}/{job_id}/cancel").status_code == 403
            assert client.delete(f"{BASE}/{job_id}").status_code == 403
