"""A server's past figures and its disk limit through the API, over a real agent."""

from __future__ import annotations

import math
import time
from pathlib import Path

import httpx
import pytest
from product import GameServer
from whole_panel import Site

from stellar.plugins.servers.agent.history import FIELDS, write
from stellar.testing.waiting import wait_until


def past(site: Site, server: GameServer) -> Path:
    """Where the node keeps it, with an hour of it."""
    path = site.node.files(server.id) / "history"
    now = time.time()
    for age in range(600, 3600, 10):
        write(path, now - age, [50.0 if name == "cpu_percent" else math.nan for name in FIELDS])
    return path


def test_the_past_is_asked_of_the_node(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)
    past(site, server)
    found = ada.get(f"{server.path}/history").json()
    assert found["step"] == 10
    assert len(found["cpu_percent"]) == 360
    assert found["cpu_percent"].count(50.0) >= 298
    assert found["cpu_percent"][-5:] == [None] * 5
    assert set(found["memory_bytes"]) == {None}
    month = ada.get(f"{server.path}/history", params={"span": "month", "points": 30}).json()
    assert (month["step"], len(month["cpu_percent"])) == (86_400, 30)
    assert month["cpu_percent"][-1] == 50.0 or month["cpu_percent"][-2] == 50.0


def test_who_may_not_see_a_server_does_not_see_its_past(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)
    with site.user("stranger") as stranger:
        assert stranger.get(f"{server.path}/history").status_code == 404


@pytest.mark.parametrize("query", [{"span": "year"}, {"points": 5}, {"points": 1001}, {"points": "x"}, {"from": "1"}])
def test_a_wrong_question_is_refused(site: Site, ada: httpx.Client, query: dict[str, str]) -> None:
    server = site.offline(client=ada)
    assert ada.get(f"{server.path}/history", params=query).status_code == 422


def test_a_server_over_its_disk_limit_is_stopped_and_starts_again_when_there_is_room(site: Site) -> None:
    fill = "[ -e big ] || [ ! -e go ] || head -c 12000000 /dev/zero > big; echo ready; cat"
    server = site.offline(disk_mb=8, variables={"COMMAND": fill})
    (site.node.files(server.id) / "data" / "go").touch()
    assert server.power("start").status_code == 202
    wait_until(lambda: warning(server) and warning(server)["stopped"], 40, "the server's being stopped")
    server.wait("offline")
    refused = server.power("start")
    assert (refused.status_code, refused.json()["code"]) == (409, "disk_limit")
    assert "delete some of its files" in refused.json()["detail"]
    files = f"{server.path}/files"
    assert server.client.delete(files, params={"path": "go"}).status_code == 204
    assert server.client.delete(files, params={"path": "big"}).status_code == 204
    wait_until(lambda: warning(server) is None, 30, "the warning's end")
    assert server.power("start").status_code == 202
    server.wait("running")


def warning(server: GameServer) -> dict[str, object] | None:
    """What its JSON says of its disk."""
    found: dict[str, object] | None = server.get()["disk_warning"]
    return found
