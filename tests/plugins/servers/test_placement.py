"""Where a server can go: nodes that are away, lack something, or are the better choice."""

from __future__ import annotations

import httpx
import pytest
from link_parts import new_node
from whole_panel import Site

from stellar.plugins.blueprints.structs import (
    Blueprint,
    DockerImage,
    DockerRuntime,
    ProcessRuntime,
    Requirement,
    Runtimes,
    Startup,
)
from stellar.plugins.nodes.models import Allocation
from stellar.plugins.servers.calls import ProbeResult
from stellar.plugins.servers.models import Server
from stellar.plugins.servers.placement import fit
from stellar.testing.waiting import wait_until

PROCESS = ProcessRuntime([Requirement("game", "game-server"), Requirement("tool", "tools"), Requirement("t2", "tools")])
DOCKER = DockerRuntime([DockerImage("Latest", "example/game")])
HAS_DOCKER = {"docker": {"available": True, "reason": ""}, "process": {"available": True, "reason": ""}}
NO_DOCKER = {"docker": {"available": False, "reason": "no daemon"}, "process": {"available": True, "reason": ""}}


def document(process: ProcessRuntime | None, docker: DockerRuntime | None) -> Blueprint:
    return Blueprint(1, "game", "Game", "A game.", "other", Runtimes(process, docker), Startup("game"))


def probe(runtimes: dict[str, dict[str, object]], *commands: str) -> ProbeResult:
    found = {name: f"/usr/bin/{name}" if name in commands else None for name in ("game", "tool", "t2")}
    return ProbeResult(found=found, runtimes=runtimes, protection={})


@pytest.mark.parametrize(
    ("process", "docker", "answer", "runtime"),
    [
        (PROCESS, None, probe(NO_DOCKER, "game", "tool", "t2"), "process"),
        (PROCESS, None, probe(NO_DOCKER, "game"), None),
        (PROCESS, DOCKER, probe(NO_DOCKER, "game", "tool", "t2"), "process"),
        (PROCESS, DOCKER, probe(HAS_DOCKER), "docker"),
        (None, DOCKER, probe(HAS_DOCKER), "docker"),
        (None, DOCKER, probe(NO_DOCKER), None),
        (PROCESS, None, None, None),
    ],
)
def test_fit_says_which_runtime_or_why_not(
    process: ProcessRuntime | None, docker: DockerRuntime | None, answer: ProbeResult | None, runtime: str | None
) -> None:
    chosen, found = fit(document(process, docker), answer)
    assert (chosen, found.available) == (runtime, runtime is not None)
    assert bool(found.problem) is (runtime is None)


def test_what_only_runs_in_docker_says_what_is_wrong_with_docker() -> None:
    assert fit(document(None, DOCKER), probe(NO_DOCKER))[1].problem == "it needs Docker. no daemon"


@pytest.mark.parametrize(
    ("process", "docker", "wanted", "runtime"),
    [
        (PROCESS, DOCKER, "process", "process"),
        (PROCESS, DOCKER, "docker", "docker"),
        (PROCESS, None, "docker", None),
        (None, DOCKER, "process", None),
        (PROCESS, DOCKER, "inner", "inner"),
        (PROCESS, DOCKER, "nowhere", None),
    ],
)
def test_a_wanted_runtime_or_none(
    process: ProcessRuntime | None, docker: DockerRuntime | None, wanted: str, runtime: str | None
) -> None:
    has = {**HAS_DOCKER, "inner": {"available": True, "reason": ""}}
    chosen, found = fit(document(process, docker), probe(has, "game", "tool", "t2"), wanted)
    assert (chosen, found.available) == (runtime, runtime is not None)
    away, why = fit(document(process, DOCKER), probe(NO_DOCKER, "game", "tool", "t2"), "docker")
    assert (away, why.problem) == (None, "no daemon")


def test_every_missing_command_is_named_with_one_line_that_installs_them() -> None:
    _, found = fit(document(PROCESS, None), probe(NO_DOCKER, "game"))
    assert found.problem == "tool, t2 is missing; run `apt-get install -y tools` there."
    assert [(entry.command, entry.remedy) for entry in found.missing] == [
        ("tool", "apt-get install -y tools"),
        ("t2", "apt-get install -y tools"),
    ]


def test_a_hanging_node_is_no_place_for_a_server(site: Site) -> None:
    site.node.process.pause()
    try:
        refused = site.admin.post("/api/v1/servers", json={"name": "x", "blueprint": "quick"})
        assert (refused.status_code, refused.json()["code"]) == (503, "node_unreachable")
        assert Server.select().count() == 0
    finally:
        site.node.process.resume()
    wait_until(site.node.online, what="the node's link")


def test_missing_requirement_is_named_with_what_installs_it(site: Site) -> None:
    for node in ({"node": "attic"}, {}):
        refused = site.admin.post("/api/v1/servers", json={"name": "x", "blueprint": "demanding", **node})
        assert (refused.status_code, refused.json()["code"]) == (409, "requirement_missing")
        detail = refused.json()["detail"]
        assert "attic" in detail and "stellar-test-no-such-server" in detail
        assert "apt-get install -y stellar-test-no-such-package" in detail
    assert not (Server.select().count() or Allocation.select().count() or site.unfinished_jobs())


def test_availability_says_the_same_before_one_tries(site: Site, ada: httpx.Client) -> None:
    found = ada.get("/api/v1/servers/availability")
    assert found.status_code == 200, found.text
    attic = next(node for node in found.json() if node["node"]["id"] == site.node.id)
    assert attic["online"] is True and attic["memory_free_mb"] > 0
    assert attic["blueprints"]["quick"] == {"available": True, "problem": None, "missing": []}
    demanding = attic["blueprints"]["demanding"]
    assert demanding["available"] is False
    assert demanding["missing"] == [
        {
            "command": "stellar-test-no-such-server",
            "package": "stellar-test-no-such-package",
            "remedy": "apt-get install -y stellar-test-no-such-package",
        }
    ]


def test_node_that_has_just_gone_is_noticed(site: Site) -> None:
    server = site.offline()
    site.node.kill()
    try:
        for refused in (
            site.admin.post("/api/v1/servers", json={"name": "x", "blueprint": "quick"}),
            *(server.power(action) for action in ("start", "stop", "restart", "kill")),
            server.client.post(f"{server.path}/command", json={"command": "x"}),
            server.client.get(f"{server.path}/console"),
            server.client.get(f"{server.path}/files"),
        ):
            assert (refused.status_code, refused.json()["code"]) == (503, "node_unreachable"), refused.url
            assert "stellar agent" in refused.json()["detail"]
        assert server.client.get(f"{server.path}/stats").status_code == 503
        wait_until(lambda: server.state() == "unknown", what="the answers being sure of that")
        listed = server.client.get("/api/v1/servers").json()["items"]
        assert [one["state"] for one in listed] == ["unknown"]
        assert Server.select().count() == 1
    finally:
        site.node.start()
    assert server.state() == "offline"
    assert server.power("start").status_code == 202
    server.wait("running")


def test_server_goes_where_there_is_more_memory_left(site: Site) -> None:
    second = site.add_node("barn", ports=4)
    try:
        wanted = {"name": "x", "blueprint": "quick", "memory_mb": 256}
        places = [site.admin.post("/api/v1/servers", json=wanted).json()["node"]["name"] for _ in range(2)]
        assert sorted(places) == ["attic", "barn"]
    finally:
        site.clean_up()
        site.remove_node(second)


def test_node_that_is_offline_is_said_to_be_and_nothing_is_made(site: Site) -> None:
    new_node(site.admin, "cellar", port_start=28700, port_end=28701)
    wanted = {"name": "x", "blueprint": "quick"}
    refused = site.admin.post("/api/v1/servers", json={**wanted, "node": "cellar"})
    assert (refused.status_code, refused.json()["code"]) == (503, "node_unreachable")
    assert "cellar" in refused.json()["detail"]
    assert not (Server.select().count() or Allocation.select().count() or site.unfinished_jobs())
    cellar = next(
        one for one in site.admin.get("/api/v1/servers/availability").json() if one["node"]["name"] == "cellar"
    )
    assert cellar["online"] is False and cellar["blueprints"]["quick"]["problem"] == "the node is offline."
    assert site.admin.post("/api/v1/nodes/attic/drain").status_code == 200
    assert site.admin.post("/api/v1/servers", json=wanted).json()["detail"].endswith("(Being drained: attic.)")
    assert site.admin.post("/api/v1/nodes/attic/undrain").status_code == 200
    placed = site.admin.post("/api/v1/servers", json=wanted)
    assert (placed.status_code, placed.json()["node"]["name"]) == (202, "attic")
    assert site.admin.delete("/api/v1/nodes/" + cellar["node"]["id"]).status_code == 204
