"""``stellar jobs``, beside a running panel."""

from __future__ import annotations

from typing import Any

from cli_parts import CliPanel

from stellar import jobs
from stellar.bus import sync
from stellar.config import load_config
from stellar.extend.registry import Job
from stellar.testing.waiting import wait_until


def enqueue(panel: CliPanel, delay: float = 0.0, **arguments: str) -> str:
    """Have the panel's worker install a server; it fails with arguments that there aren't."""
    sync.init(load_config(panel.product.data))
    try:
        jobs.init([Job("servers", "servers.install", "nowhere:nothing")])
        return jobs.enqueue("servers.install", arguments, delay=delay)
    finally:
        jobs.init([])
        sync.close()


def find(panel: CliPanel, job_id: str, *options: str) -> dict[str, Any] | None:
    """A job in the list."""
    return next((job for job in panel.json("jobs", "list", *options) if job["id"] == job_id), None)


def test_list_and_cancel(cli_panel: CliPanel) -> None:
    waiting = enqueue(cli_panel, 3600, server_id="none")
    found = find(cli_panel, waiting, "--state", "scheduled", "--queue", "deployments")
    assert found is not None and (found["name"], found["state"]) == ("servers.install", "scheduled")
    assert find(cli_panel, waiting, "--state", "failed") is None
    assert waiting in cli_panel.ok("jobs", "list")
    assert "only a failed one" in cli_panel.refused("jobs", "retry", waiting)
    assert waiting in cli_panel.completions("jobs", "cancel", "")
    assert waiting not in cli_panel.completions("jobs", "retry", "")
    assert cli_panel.refused("jobs", "delete", waiting)
    assert "cancelled" in cli_panel.ok("jobs", "cancel", waiting)
    assert find(cli_panel, waiting) is None
    assert "no such job" in cli_panel.refused("jobs", "cancel", waiting)
    assert "no such job" in cli_panel.refused("jobs", "retry", "nope")
    assert [line for line in cli_panel.audited("job.cancel") if line["target_id"] == waiting]


def test_retry(cli_panel: CliPanel) -> None:
    failing = enqueue(cli_panel, nonsense="none")

    def ended() -> str | None:
        found = find(cli_panel, failing, "--state", "failed")
        return found["ended_at"] if found else None

    first = wait_until(ended, 30, "the job failing")
    assert failing in cli_panel.ok("jobs", "list", "--state", "failed")
    assert cli_panel.completions("jobs", "retry", failing[:8]) == [failing]
    assert "queued again" in cli_panel.ok("jobs", "retry", failing)
    wait_until(lambda: ended() not in (None, first), 30, "the job failing again")
    assert "nothing to cancel" in cli_panel.refused("jobs", "cancel", failing)
    assert [line for line in cli_panel.audited("job.retry") if line["target_id"] == failing]
    assert "forgotten" in cli_panel.ok("jobs", "delete", failing)
    assert find(cli_panel, failing) is None
    assert [line for line in cli_panel.audited("job.delete") if line["target_id"] == failing]
