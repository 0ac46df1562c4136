"""Deleting servers: the process, the files, the port and the row go together, or not at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from link_parts import dial, greet, new_node, receive, send
from product import GameServer
from websockets.exceptions import ConnectionClosed
from whole_panel import Site, rows, together

from stellar import audit
from stellar.bus import sync
from stellar.errors import NotFound
from stellar.plugins.nodes.models import Allocation
from stellar.plugins.nodes.protocol import Call, Reply, ReplyError
from stellar.plugins.servers.calls import Apply, ProbeResult, Result
from stellar.plugins.servers.models import Crash, Install, Server
from stellar.plugins.servers.specs import spec_of
from stellar.testing.waiting import wait_until


def stray(site: Site) -> Any:
    """What the node says it has although the panel doesn't know it."""
    return site.admin.get(f"/api/v1/nodes/{site.node.id}/stats").json()["metrics"].get("unknown_servers")


def allocated(server: GameServer) -> int:
    """How many ports a server has."""
    return Allocation.select().where(Allocation.server_id == server.id).count()


def test_delete_ends_the_game_and_leaves_nothing(site: Site, ada: httpx.Client) -> None:
    server = site.running("sleep 100 & exec cat", client=ada)
    files = site.node.files(server.id)
    assert files.exists() and site.node.processes(server.id)
    with site.valkey.client() as client, client.pubsub() as heard:
        heard.subscribe("stellar:events:global")
        assert heard.get_message(timeout=5)
        assert ada.delete(server.path).status_code == 204
        said = wait_until(lambda: heard.get_message(ignore_subscribe_messages=True, timeout=0.1))
    event = json.loads(said["data"])
    assert (event["kind"], event["id"]) == ("server.deleted", server.id)
    assert not files.exists()
    assert not list(files.parent.glob("removed-*"))
    wait_until(lambda: not site.node.processes(server.id), what="the end of the game")
    assert (rows(server.id), allocated(server)) == (0, 0)
    assert not Install.select().where(Install.server == server.id).exists()
    for ask in (ada.get, ada.delete):
        assert ask(server.path).status_code == 404
    assert ada.get("/api/v1/servers").json()["items"] == []
    assert GameServer(ada, "quick", node=site.node.id).port == server.port


def test_open_console_of_a_deleted_server_is_closed(site: Site, ada: httpx.Client) -> None:
    server = site.running(client=ada)
    console = server.socket()
    console.send("resume", after=0)
    console.until(lambda: "ready" in console.text)
    assert ada.delete(server.path).status_code == 204
    with pytest.raises(ConnectionClosed) as caught:
        console.until(lambda: False)
    assert caught.value.rcvd is not None and caught.value.rcvd.code == 4404


def test_delete_ends_an_install(site: Site) -> None:
    server = site.create("generic", variables={"INSTALL_COMMAND": "echo begun; exec sleep 100"})
    server.says("begun")
    assert site.admin.delete(server.path).status_code == 204
    assert not site.node.files(server.id).exists()
    wait_until(lambda: not site.node.processes(server.id), what="the end of the install")


def test_crashes_go_with_their_server(site: Site) -> None:
    server = site.offline()
    Crash.create(server=server.id, at=1.0, oom=False, restarting=False, log="")
    assert site.admin.delete(server.path).status_code == 204
    assert not Crash.select().where(Crash.server == server.id).exists()


def test_server_deleted_right_after_its_creation_stays_deleted(site: Site) -> None:
    def create_and_delete(number: int) -> int:
        server = site.create(name=f"n{number}")
        return site.admin.delete(server.path).status_code

    assert together(8, create_and_delete) == [204] * 8
    wait_until(lambda: not site.unfinished_jobs(), what="the jobs")
    assert list((site.node.directory / "servers").iterdir()) == []
    assert Allocation.select().count() == Server.select().count() == 0


def test_job_from_before_the_delete_does_not_bring_a_server_back(site: Site) -> None:
    server = site.offline()
    node_id, spec = spec_of(server.id)
    assert site.admin.delete(server.path).status_code == 204
    with pytest.raises(NotFound):
        sync.call(node_id, "servers.apply", Apply(spec), returns=Result)
    assert not site.node.files(server.id).exists()


def test_many_deletes_of_one_server_are_one(site: Site) -> None:
    server = site.running()
    answers = together(6, lambda _: site.admin.delete(server.path).status_code)
    assert set(answers) <= {204, 404} and 204 in answers
    assert (rows(server.id), allocated(server)) == (0, 0)
    assert len(audit.list_page(action="server.delete", target_id=server.id).entries) == 1


def test_node_that_is_away_keeps_its_server_unless_an_administrator_forces_it(site: Site, ada: httpx.Client) -> None:
    server = site.running(client=ada)
    processes = site.node.processes(server.id)
    before = server.get()
    site.node.kill()
    before["state"] = "unknown"
    wait_until(lambda: server.state() == "unknown", what="the answers knowing that the node is away")
    try:
        for client, query in ((ada, ""), (ada, "?force=true"), (site.admin, ""), (site.admin, "?force=false")):
            refused = client.delete(f"{server.path}{query}")
            assert (refused.status_code, refused.json()["code"]) == (503, "node_unreachable")
            assert server.get() == before
        assert allocated(server) == 1
        assert site.admin.delete(f"{server.path}?force=maybe").status_code == 422
        assert site.admin.delete(f"{server.path}?force=true").status_code == 204
        assert (rows(server.id), allocated(server)) == (0, 0)
    finally:
        site.node.start()
    wait_until(lambda: f"doesn't know the server {server.id}" in site.node.process.log(), what="the node's complaint")
    assert site.node.files(server.id).exists() and any(process.is_running() for process in processes)
    node, unknown = f"/api/v1/nodes/{site.node.id}", {"id": server.id, "name": before["name"]}
    wait_until(lambda: stray(site) == [unknown], what="the node's next sign of life")
    assert server.id in site.admin.get("/nodes").text
    path = f"{node}/unknown-servers/{server.id}"
    assert ada.delete(path).status_code == ada.post(f"{path}/kill").status_code == 403
    assert site.admin.post(f"{path}/kill").status_code == 204
    wait_until(lambda: not site.node.processes(server.id), what="its end")
    assert site.node.files(server.id).exists()
    assert site.admin.delete(path).status_code == 204
    assert not site.node.files(server.id).exists()
    assert site.admin.post(f"{path}/kill").status_code == 404
    wait_until(lambda: stray(site) == [], what="the node's next sign of life")
    known = site.offline(client=ada)
    assert site.admin.delete(f"{node}/unknown-servers/{known.id}").json()["code"] == "known_server"
    assert site.admin.delete(f"{node}/unknown-servers/x").status_code == 404


def test_server_that_cannot_be_ended_stays(site: Site) -> None:
    with scripted_node(site) as script:
        server = site.create(node=script["id"])
        wait_until(lambda: not site.unfinished_jobs(), what="the job")
        script["answers"]["servers.remove"] = ReplyError("unavailable", "It could not be ended in time.")
        for query in ("", "?force=true"):
            refused = site.admin.delete(f"{server.path}{query}")
            assert (refused.status_code, refused.json()["detail"]) == (503, "It could not be ended in time.")
        assert [one["id"] for one in site.admin.get("/api/v1/servers").json()["items"]] == [server.id]
        assert allocated(server) == 1
        assert spec_of(server.id)[0] == script["id"]
        del script["answers"]["servers.remove"]
        assert site.admin.delete(server.path).status_code == 204
    assert site.admin.delete(f"/api/v1/nodes/{script['id']}").status_code == 204


def test_panel_that_died_in_the_middle_of_a_delete_can_repeat_it(site: Site) -> None:
    server = site.offline()
    Server.update(removing=True).where(Server.id == server.id).execute()
    assert [one["id"] for one in site.admin.get("/api/v1/servers").json()["items"]] == [server.id]
    refused = server.power("start")
    assert (refused.status_code, refused.json()["code"]) == (409, "removing")
    assert site.admin.delete(server.path).status_code == 204
    assert not site.node.files(server.id).exists()


@contextmanager
def scripted_node(site: Site) -> Iterator[dict[str, Any]]:
    """A node that does nothing and says so, or fails as ``answers`` has it by method."""
    made, key = new_node(site.admin, "scripted", port_start=28790, port_end=28799)
    probe = ProbeResult(found={}, runtimes={"process": {"available": True}}, protection={})
    answers: dict[str, ReplyError] = {}
    results: dict[str, Any] = {"servers.probe": probe}

    def serve() -> None:
        while True:
            try:
                frame = receive(socket, 60)
            except ConnectionClosed:
                return
            if isinstance(frame, Call):
                error = answers.get(frame.method)
                send(socket, Reply(frame.id, None if error else results.get(frame.method, {}), error))

    with dial(site.web.url, key) as socket:
        greet(socket)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield {"id": made["id"], "answers": answers}
        finally:
            socket.close()
            thread.join()
