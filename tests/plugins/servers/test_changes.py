"""Changing a server: resources, start-up variables, its blueprint, suspension, and the record of it all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from product import GameServer
from websockets.exceptions import ConnectionClosed
from whole_panel import Site

from stellar import audit
from stellar.plugins.nodes import presence, protocol
from stellar.plugins.servers.models import Server
from stellar.testing.waiting import wait_until


@pytest.fixture
def stranger(site: Site) -> Iterator[httpx.Client]:
    """Somebody else with an account."""
    with site.user("stranger") as client:
        yield client


def values(client: httpx.Client, server: GameServer) -> dict[str, str]:
    """The start-up variables that a client sees."""
    answer = client.get(f"{server.path}/startup")
    assert answer.status_code == 200, answer.text
    return {variable["env"]: variable["value"] for variable in answer.json()["variables"]}


def set_variables(client: httpx.Client, server: GameServer, **variables: Any) -> httpx.Response:
    """Change start-up variables."""
    return client.patch(f"{server.path}/startup", json={"variables": variables})


def actions(client: httpx.Client, server: GameServer) -> list[str]:
    """What the record of a server says, the latest first."""
    return [entry["action"] for entry in client.get(f"{server.path}/activity").json()["items"]]


def test_administrator_changes_resources_and_the_node_follows(site: Site, ada: httpx.Client) -> None:
    server = site.offline(
        client=ada,
        variables={"COMMAND": "echo memory $SERVER_MEMORY cpu $SERVER_CPU disk $SERVER_DISK; echo ready; cat"},
    )
    wanted = {"memory_mb": 96, "cpu_percent": 50, "disk_mb": 0}
    changed = site.admin.patch(server.path, json=wanted)
    assert changed.status_code == 200 and changed.json()["limits"].items() >= wanted.items(), changed.text
    wait_until(lambda: not site.unfinished_jobs(), what="the node being told")
    assert server.power("start").status_code == 202
    server.says("memory 96 cpu 50 disk 0")
    line = audit.list_page(action="server.update", target_id=server.id).entries[0]
    assert line.details == wanted


def test_a_game_is_told_where_its_node_is(site: Site, ada: httpx.Client) -> None:
    place = site.admin.post("/api/v1/locations", json={"name": "Berlin"}).json()
    node = f"/api/v1/nodes/{site.admin.get('/api/v1/nodes').json()['items'][0]['id']}"
    assert site.admin.patch(node, json={"location": "Berlin"}).status_code == 200
    server = site.offline(client=ada, variables={"COMMAND": "echo ready in $P_SERVER_LOCATION.; exec cat"})
    server.power("start")
    server.says("ready in Berlin.")
    renamed = site.admin.patch(f"/api/v1/locations/{place['id']}", json={"name": "Old town"})
    assert renamed.status_code == 200, renamed.text
    wait_until(lambda: not site.unfinished_jobs(), what="the node being told")
    server.power("restart")
    server.says("ready in Old town.")
    assert site.admin.patch(node, json={"location": None}).status_code == 200
    wait_until(lambda: not site.unfinished_jobs(), what="the node being told")
    server.power("restart")
    server.says("ready in .")
    assert site.admin.delete(f"/api/v1/locations/{place['id']}").status_code == 204


def test_owner_changes_no_resources_and_nothing_else_along_with_them(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)
    before = server.get()
    greedy: list[dict[str, Any]] = [{"memory_mb": 4096}, {"name": "Greedy", "cpu_percent": 0}, {"swap_mb": -1}]
    greedy += [{"description": "x", "disk_mb": 0}, {"pids": 1}, {"mounts": [{"source": "/", "target": "/host"}]}]
    for body in greedy:
        refused = ada.patch(server.path, json=body)
        assert (refused.status_code, "ask an administrator" in refused.json()["detail"]) == (403, True), body
    assert server.get() == before


@pytest.mark.parametrize(
    "body",
    [
        {"memory_mb": 15},
        {"memory_mb": -1},
        {"memory_mb": "64"},
        {"memory_mb": 2**31},
        {"memory_mb": None},
        {"cpu_percent": 100_001},
        {"disk_mb": 1.5},
        {"swap_mb": -2},
        {"cpu_set": "3-1"},
        {"cpu_set": "0;reboot"},
        {"cpu_set": "99999"},
        {"io_weight": 9},
        {"pids": -1},
        {"oom_kill": "no"},
        {"mounts": "/srv"},
        {"owner": "x"},
        {"owner_id": "x"},
        {"suspended": False},
        {"is_admin": True},
        {"node": "x"},
        {"variables": {}},
        {"state": "running"},
    ],
)
def test_bad_change_is_refused(site: Site, body: dict[str, Any]) -> None:
    server = site.offline()
    before = server.get()
    refused = site.admin.patch(server.path, json=body)
    assert (refused.status_code, list(refused.json()["errors"])) == (422, list(body)), refused.text
    assert server.get() == before


def test_processors_that_the_node_lacks_are_refused_beforehand(site: Site) -> None:
    server = site.offline()
    wait_until(lambda: presence.cores_now(server.get()["node"]["id"]), what="the node's figures")
    beyond = str(os.cpu_count())
    for processors in (beyond, f"0,{beyond}", f"0-{beyond}"):
        refused = site.admin.patch(server.path, json={"cpu_set": processors})
        assert (refused.status_code, refused.json()["code"]) == (409, "no_processor"), refused.text
        assert f"no processor {beyond}" in refused.json()["detail"]
    assert server.get()["limits"]["cpu_set"] == ""
    assert site.admin.patch(server.path, json={"cpu_set": "0"}).json()["limits"]["cpu_set"] == "0"
    body = {"name": "Pinned", "blueprint": "quick", "cpu_set": beyond}
    refused = site.admin.post("/api/v1/servers", json=body)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_processor"), refused.text


def test_owner_changes_start_up_variables_from_the_next_start_on(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)
    changed = set_variables(ada, server, COMMAND="echo ready with $SLOTS; exec cat", SLOTS="12")
    assert changed.status_code == 200, changed.text
    assert values(ada, server) == {"COMMAND": "echo ready with $SLOTS; exec cat", "SLOTS": "12", "LICENCE": "none"}
    assert changed.json()["command"] == "exec sh -c {{COMMAND}}"
    wait_until(lambda: not site.unfinished_jobs(), what="the node being told")
    server.power("start")
    server.says("ready with 12")
    line = audit.list_page(action="server.startup", target_id=server.id).entries[0]
    assert line.details == {"variables": ["COMMAND", "SLOTS"]}


@pytest.fixture
def worker_away(site: Site) -> Iterator[None]:
    """The worker does no job for the time of a test."""
    site.worker.pause()
    yield
    site.worker.resume()


def test_a_change_counts_for_the_next_start_also_before_the_worker_tells_the_node(
    site: Site, ada: httpx.Client, request: pytest.FixtureRequest
) -> None:
    server = site.offline(client=ada, variables={"COMMAND": "echo slots $SLOTS; echo ready; cat"})
    request.getfixturevalue("worker_away")
    assert set_variables(ada, server, SLOTS="32").status_code == 200
    assert server.power("start").status_code == 202
    server.says("slots 32")
    server.wait("running")
    assert set_variables(ada, server, SLOTS="33").status_code == 200
    assert server.power("restart").status_code == 202
    server.says("slots 33")
    server.wait("running")


def test_a_suspension_that_is_lifted_is_lifted_for_the_next_start(
    site: Site, ada: httpx.Client, request: pytest.FixtureRequest
) -> None:
    server = site.offline(client=ada)
    assert site.admin.post(f"{server.path}/suspend").status_code == 202
    wait_until(lambda: not site.unfinished_jobs(), what="the node being told")
    request.getfixturevalue("worker_away")
    assert site.admin.post(f"{server.path}/unsuspend").status_code == 202
    started = server.power("start")
    assert started.status_code == 202, started.text


def test_variable_that_breaks_a_rule_or_is_not_theirs_is_refused(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)
    before = values(site.admin, server)
    bad: list[dict[str, Any]] = [
        {"SLOTS": "0"},
        {"SLOTS": "many"},
        {"SLOTS": ""},
        {"COMMAND": ""},
        {"COMMAND": "a\nb"},
        {"COMMAND": "x" * 5000},
        {"LICENCE": "mine"},
        {"HIDDEN": "mine"},
        {"PATH": "/tmp"},
        {"": "x"},
        {"SLOTS": "9", "NO_SUCH": "1"},
    ]
    for given in bad:
        refused = ada.patch(f"{server.path}/startup", json={"variables": given})
        assert refused.status_code == 422, given
        assert all(name.startswith("variables.") for name in refused.json()["errors"]), refused.text
    for body in ({"variables": {"SLOTS": 9}}, {"variables": []}, {}, {"variables": {}, "command": "sh"}, []):
        assert ada.patch(f"{server.path}/startup", json=body).status_code == 422, body
    assert values(site.admin, server) == before
    assert "HIDDEN" not in values(ada, server)
    assert set_variables(site.admin, server, LICENCE="ours", HIDDEN="h").status_code == 200
    assert values(ada, server)["LICENCE"] == "ours"


def test_member_does_only_what_was_given(site: Site, ada: httpx.Client, stranger: httpx.Client) -> None:
    server = site.offline(client=ada)
    email = stranger.get("/api/v1/auth/session").json()["user"]["email"]
    member = {"email": email, "actions": ["servers.read", "settings.description", "allocations.read"]}
    added = ada.post(f"{server.path}/members", json=member)
    assert added.status_code == 201, added.text
    assert stranger.get(server.path).json()["variables"] == []
    for method, rest, body, status in [
        ("GET", "/startup", None, 403),
        ("PATCH", "/startup", {"variables": {"SLOTS": "9"}}, 403),
        ("PATCH", "", {"description": "by a member"}, 200),
        ("PATCH", "", {"name": "by a member", "description": "x"}, 403),
        ("GET", "/allocations", None, 200),
        ("POST", "/allocations", {}, 403),
        ("POST", "/blueprint", {"blueprint": "quick"}, 403),
        ("POST", "/reinstall", None, 403),
        ("POST", "/suspend", None, 403),
        ("GET", "/activity", None, 403),
    ]:
        answer = stranger.request(method, server.path + rest, **({"json": body} if body is not None else {}))
        assert answer.status_code == status, (method, rest, answer.text)
    assert "ask its owner" in stranger.post(f"{server.path}/reinstall").json()["detail"]
    assert (server.get()["name"], server.get()["description"]) == ("My quick", "by a member")
    assert [row["id"] for row in stranger.get("/api/v1/servers").json()["items"]] == [server.id]


def test_changes_at_once_do_not_undo_each_other(site: Site, ada: httpx.Client) -> None:
    from whole_panel import together

    server = site.offline(client=ada)
    wanted = [{"SLOTS": "33"}, {"COMMAND": "echo ready; cat"}] * 4
    answers = together(len(wanted), lambda number: set_variables(ada, server, **wanted[number]))
    assert {answer.status_code for answer in answers} == {200}
    assert values(ada, server) == {"COMMAND": "echo ready; cat", "SLOTS": "33", "LICENCE": "none"}


def test_blueprint_is_changed_and_files_and_ports_stay(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada, variables={"SLOTS": "31"})
    ada.put(f"{server.path}/files/content", params={"path": "world"}, content=b"kept")
    body = {"blueprint": "generic", "variables": {"START_COMMAND": "echo hi; cat", "INSTALL_COMMAND": "echo put in"}}
    changed = ada.post(f"{server.path}/blueprint", json=body)
    assert (changed.status_code, changed.json()["blueprint"]["name"]) == (202, "generic"), changed.text
    server.wait("offline")
    server.says("put in")
    assert server.get()["allocation"]["port"] == server.port
    assert server.get()["install"]["ok"] is True
    assert ada.get(f"{server.path}/files/content", params={"path": "world"}).content == b"kept"
    assert values(ada, server) == {"START_COMMAND": "echo hi; cat", "INSTALL_COMMAND": "echo put in"}
    server.power("start")
    server.wait("running")
    refused = ada.post(f"{server.path}/blueprint", json={"blueprint": "quick"})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_offline")
    server.power("kill")
    server.wait("offline")
    back = ada.post(f"{server.path}/blueprint", json={"blueprint": "quick", "variables": {"SLOTS": "5"}})
    assert back.status_code == 202, back.text
    server.wait("offline")
    assert values(ada, server) == {"COMMAND": "echo ready; exec cat", "SLOTS": "5", "LICENCE": "none"}


def test_same_blueprint_again_keeps_the_variables(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada, variables={"SLOTS": "31"})
    set_variables(site.admin, server, LICENCE="ours")
    assert ada.post(f"{server.path}/blueprint", json={"blueprint": "quick"}).status_code == 202
    server.wait("offline")
    assert values(ada, server) == {"COMMAND": "echo ready; exec cat", "SLOTS": "31", "LICENCE": "ours"}


def test_blueprint_that_cannot_be_had_is_refused(site: Site, ada: httpx.Client, stranger: httpx.Client) -> None:
    server = site.offline(client=ada)
    before = server.get()
    path = f"{server.path}/blueprint"
    for status, body in [
        (422, {"blueprint": "no-such"}),
        (422, {"blueprint": ""}),
        (422, {}),
        (422, {"blueprint": "quick", "variables": {"SLOTS": "0"}}),
        (422, {"blueprint": "quick", "variables": {"LICENCE": "mine"}}),
        (422, {"blueprint": "quick", "runtime": "docker"}),
        (409, {"blueprint": "demanding"}),
    ]:
        refused = ada.post(path, json=body)
        assert refused.status_code == status, (body, refused.text)
    assert stranger.post(path, json={"blueprint": "quick"}).status_code == 404
    assert server.get() == before


def test_suspended_server_is_stopped_and_its_open_console_ends(site: Site, ada: httpx.Client) -> None:
    server = site.running(client=ada)
    console = server.socket()
    console.until(lambda: "ready" in console.text)
    assert ada.post(f"{server.path}/suspend").status_code == 403
    suspended = site.admin.post(f"{server.path}/suspend")
    assert (suspended.status_code, suspended.json()["suspended"]) == (202, True), suspended.text
    frames: list[dict[str, Any]] = []
    with pytest.raises(ConnectionClosed):
        while True:
            frames.append(console.read())
    assert [frame["code"] for frame in frames if frame["type"] == "error"] == ["suspended"]
    server.wait("offline")
    for method, path, body in [
        ("POST", "/start", None),
        ("POST", "/kill", None),
        ("POST", "/command", {"command": "x"}),
        ("GET", "/console", None),
        ("GET", "/console-token", None),
        ("GET", "/files", None),
        ("PATCH", "", {"name": "x"}),
        ("PATCH", "/startup", {"variables": {"SLOTS": "9"}}),
    ]:
        for client in (ada, site.admin):
            refused = client.request(method, server.path + path, **({"json": body} if body else {}))
            assert (refused.status_code, refused.json()["code"]) == (409, "suspended"), (method, path)
    assert site.admin.post(f"{server.path}/suspend").status_code == 202
    assert ada.post(f"{server.path}/unsuspend").status_code == 403
    lifted = site.admin.post(f"{server.path}/unsuspend")
    assert (lifted.status_code, lifted.json()["suspended"]) == (202, False)
    wait_until(lambda: server.power("start").status_code == 202, what="the node having been told")
    server.wait("running")
    assert actions(ada, server)[:3] == ["server.start", "server.unsuspend", "server.suspend"]


def test_upload_that_is_under_way_ends_with_the_suspension(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)

    def body() -> Iterator[bytes]:
        yield b"x" * 1000
        assert site.admin.post(f"{server.path}/suspend").status_code == 202
        yield b"y" * 1000

    refused = ada.put(f"{server.path}/files/content", params={"path": "late"}, content=body())
    assert (refused.status_code, refused.json()["code"]) == (409, "suspended")
    assert site.admin.post(f"{server.path}/unsuspend").status_code == 202
    assert ada.get(f"{server.path}/files").json()["entries"] == []


def test_node_holds_a_suspension_that_came_while_it_was_away(site: Site, ada: httpx.Client) -> None:
    server = site.running(client=ada)
    site.node.kill()
    try:
        assert site.admin.post(f"{server.path}/suspend").status_code == 202
    finally:
        site.node.start()
    server.wait("offline")
    wait_until(lambda: not site.node.processes(server.id), what="the game's end")
    assert site.admin.post(f"{server.path}/unsuspend").status_code == 202


def test_a_node_follows_more_than_fits_into_a_frame(
    site: Site, ada: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = [site.running(client=ada) for _ in range(2)]
    monkeypatch.setattr(protocol, "PORTION", 1)
    site.node.kill()
    try:
        for server in servers:
            assert site.admin.post(f"{server.path}/suspend").status_code == 202
    finally:
        site.node.start()
    for server in servers:
        server.wait("offline")
        assert site.admin.post(f"{server.path}/unsuspend").status_code == 202


def test_suspension_ends_an_install(site: Site, ada: httpx.Client) -> None:
    install = {"START_COMMAND": "cat", "INSTALL_COMMAND": "echo begun; exec sleep 100"}
    server = site.create("generic", client=ada, variables=install)
    server.says("begun")
    assert site.admin.post(f"{server.path}/suspend").status_code == 202
    server.wait("install_failed")
    assert site.admin.post(f"{server.path}/unsuspend").status_code == 202


def test_record_shows_who_did_what_without_addresses_of_others(
    site: Site, ada: httpx.Client, stranger: httpx.Client
) -> None:
    server = site.offline(client=ada)
    site.admin.patch(server.path, json={"name": "By the administrator"})
    set_variables(ada, server, SLOTS="9")
    page = ada.get(f"{server.path}/activity", params={"limit": 2}).json()
    assert [entry["action"] for entry in page["items"]] == ["server.startup", "server.update"]
    mine, theirs = page["items"]
    account = ada.get("/api/v1/auth/session").json()["user"]
    assert mine["actor"] == {"id": account["id"], "name": account["name"]}
    assert (mine["address"], theirs["address"]) == ("127.0.0.1", None)
    assert "@" not in str(page)
    rest = ada.get(f"{server.path}/activity", params={"before": page["next"]}).json()
    assert ([entry["action"] for entry in rest["items"]], rest["next"]) == (["server.create"], None)
    assert site.admin.get(f"{server.path}/activity").json()["items"][0]["address"] == "127.0.0.1"
    assert stranger.get(f"{server.path}/activity").status_code == 404
    for query in ("limit=0", "limit=201", "before=x", "before=0", "before=9e99", "action=x"):
        assert ada.get(f"{server.path}/activity?{query}").status_code == 422, query


def test_pages_show_variables_and_record(site: Site, ada: httpx.Client, stranger: httpx.Client) -> None:
    server = site.offline(client=ada, variables={"SLOTS": "17", "COMMAND": "echo '<b>ready</b>'; cat"})
    startup = ada.get(f"/servers/{server.id}/startup")
    assert startup.status_code == 200, startup.text
    assert 'value="17"' in startup.text and "<b>ready" not in startup.text
    assert "Licence" in startup.text and "Hidden" not in startup.text
    record = ada.get(f"/servers/{server.id}/activity")
    assert record.status_code == 200 and "server.create" in record.text
    for page in ("startup", "activity"):
        assert stranger.get(f"/servers/{server.id}/{page}").status_code == 404
        assert f"/servers/{server.id}/{page}" in ada.get(f"/servers/{server.id}").text
    Server.update(suspended=True).where(Server.id == server.id).execute()
    assert ada.get(f"/servers/{server.id}/startup").status_code == 200


def test_another_of_the_blueprints_commands_is_chosen(site: Site, ada: httpx.Client) -> None:
    document = {
        "format": 1,
        "name": "several",
        "title": "Several ways",
        "description": "Starts in more than one way.",
        "category": "other",
        "runtimes": {"process": {}},
        "startup": {"command": "echo usual; exec cat", "choices": [{"name": "Loud", "command": "echo LOUD; exec cat"}]},
    }
    assert site.admin.post("/api/v1/blueprints", json={"document": document}).status_code == 201
    server = site.create("several", client=ada)
    server.wait("offline")
    shown = ada.get(f"{server.path}/startup").json()
    assert (shown["chosen"], [one["name"] for one in shown["commands"]]) == ("", ["", "Loud"])
    refused = ada.patch(f"{server.path}/startup", json={"command": "Quiet"})
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["command"])
    changed = ada.patch(f"{server.path}/startup", json={"command": "Loud"}).json()
    assert (changed["chosen"], changed["command"]) == ("Loud", "echo LOUD; exec cat")
    assert server.power("start").status_code == 202
    server.says("LOUD")
    assert ada.patch(f"{server.path}/startup", json={"command": ""}).json()["command"] == "echo usual; exec cat"
    assert server.power("kill").status_code == 202
