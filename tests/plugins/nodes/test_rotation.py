"""Rotating a node's key over its link: the agent keeps working, the old key dies, and no failure locks it out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from full_panel import full_panel
from link_parts import dial, greet, new_node, receive, send
from web_parts import WebServer
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection
from whole_panel import Process

from stellar.audit import Entry
from stellar.plugins.nodes import rotation
from stellar.plugins.nodes.agent.identity import Identity, read_identity, write_identity
from stellar.plugins.nodes.models import Node
from stellar.plugins.nodes.protocol import Ack, Call, Reply, ReplyError
from stellar.testing.waiting import wait_until


@pytest.fixture
def web(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[WebServer]:
    with full_panel(tmp_path, redis_url, database_url) as server:
        yield server


@pytest.fixture
def admin(web: WebServer) -> Iterator[httpx.Client]:
    with web.signed_in("admin@example.com", "admin", timeout=30) as client:
        yield client


def online(admin: httpx.Client, node_id: str) -> bool:
    return bool(admin.get(f"/api/v1/nodes/{node_id}").json()["online"])


def next_call(socket: ClientConnection) -> Call:
    frame = receive(socket)
    while isinstance(frame, Ack):
        frame = receive(socket)
    assert isinstance(frame, Call)
    return frame


def rotating(pool: ThreadPoolExecutor, admin: httpx.Client, node_id: str) -> Future[httpx.Response]:
    return pool.submit(admin.post, f"/api/v1/nodes/{node_id}/rotate-key")


def works(web: WebServer, node_id: str, key: str) -> bool:
    """Whether a key lets a node link; the link is not greeted, so that nothing else changes."""
    try:
        with dial(web.url, f"{node_id}.{key}"):
            return True
    except InvalidStatus as refused:
        assert refused.response.status_code == 401
        return False


def test_a_real_agent_keeps_working_and_need_not_join_again(
    web: WebServer, admin: httpx.Client, tmp_path: Path
) -> None:
    node, joined = new_node(admin, "attic")
    old = joined.partition(".")[2]
    data = tmp_path / "machine"
    write_identity(data / "agent", Identity(web.url, node["id"], old))
    agent = Process("agent", data)
    agent.start()
    try:
        wait_until(lambda: online(admin, node["id"]), 20, "the agent's link")
        answer = admin.post(f"/api/v1/nodes/{node['id']}/rotate-key")
        assert answer.status_code == 200, answer.text
        identity = read_identity(data / "agent")
        assert identity is not None and identity.key != old
        assert identity.key not in answer.text and Node.get_by_id(node["id"]).next_keys == []
        assert online(admin, node["id"])
        assert not works(web, node["id"], old)
        assert Entry.select().where(Entry.action == "node.rotate_key").count() == 1
        agent.stop()
        wait_until(lambda: not online(admin, node["id"]), 20, "the end of the link")
        agent.start()
        wait_until(lambda: online(admin, node["id"]), 20, "the link with the new key")
    finally:
        agent.stop()


def test_an_agent_that_crashes_before_it_answers_may_have_either_key(web: WebServer, admin: httpx.Client) -> None:
    node, joined = new_node(admin, "attic")
    old = joined.partition(".")[2]
    with ThreadPoolExecutor(1) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(rotation, "SECONDS", 0.5)
        with dial(web.url, joined) as socket:
            greet(socket)
            answer = rotating(pool, admin, node["id"])
            first = next_call(socket).params["key"]
            assert answer.result().status_code == 503
            answer = rotating(pool, admin, node["id"])
            second = next_call(socket).params["key"]
            assert answer.result().json()["code"] == "node_unreachable"
    assert len({old, first, second}) == 3
    assert works(web, node["id"], first)
    assert not works(web, node["id"], old) and not works(web, node["id"], second)
    assert works(web, node["id"], first)


def test_an_agent_that_has_never_got_the_new_key_goes_on_with_the_old(web: WebServer, admin: httpx.Client) -> None:
    node, joined = new_node(admin, "attic")
    with ThreadPoolExecutor(1) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(rotation, "SECONDS", 0.5)
        with dial(web.url, joined) as socket:
            greet(socket)
            answer = rotating(pool, admin, node["id"])
            lost = next_call(socket).params["key"]
            assert answer.result().status_code == 503
    assert works(web, node["id"], joined.partition(".")[2])
    assert not works(web, node["id"], lost)
    assert Node.get_by_id(node["id"]).next_keys == []


def test_an_agent_that_refuses_keeps_its_key(web: WebServer, admin: httpx.Client) -> None:
    node, joined = new_node(admin, "attic")
    with dial(web.url, joined) as socket, ThreadPoolExecutor(1) as pool:
        greet(socket)
        answer = rotating(pool, admin, node["id"])
        call = next_call(socket)
        send(socket, Reply(call.id, error=ReplyError("unavailable", "This node's agent is too old; update it.")))
        assert answer.result().status_code == 503
        assert "update it" in answer.result().json()["detail"]
    assert not works(web, node["id"], call.params["key"])
    assert works(web, node["id"], joined.partition(".")[2])


def test_revoking_ends_a_rotation_too(web: WebServer, admin: httpx.Client) -> None:
    node, joined = new_node(admin, "attic")
    with dial(web.url, joined) as socket, ThreadPoolExecutor(1) as pool:
        greet(socket)
        answer = rotating(pool, admin, node["id"])
        call = next_call(socket)
        assert admin.post(f"/api/v1/nodes/{node['id']}/revoke").status_code == 200
        assert answer.result().status_code in (409, 503)
    for key in (joined.partition(".")[2], call.params["key"]):
        assert not works(web, node["id"], key)


def test_one_rotation_at_a_time(web: WebServer, admin: httpx.Client) -> None:
    node, joined = new_node(admin, "attic")
    with dial(web.url, joined) as socket, ThreadPoolExecutor(1) as pool:
        greet(socket)
        answer = rotating(pool, admin, node["id"])
        call = next_call(socket)
        second = admin.post(f"/api/v1/nodes/{node['id']}/rotate-key")
        assert (second.status_code, second.json()["code"]) == (409, "under_way")
        send(socket, Reply(call.id, {}))
        assert answer.result().status_code == 200
    assert works(web, node["id"], call.params["key"])
    assert not works(web, node["id"], joined.partition(".")[2])


def test_an_offline_node_keeps_its_key(web: WebServer, admin: httpx.Client) -> None:
    node, joined = new_node(admin, "attic")
    refused = admin.post(f"/api/v1/nodes/{node['id']}/rotate-key")
    assert (refused.status_code, refused.json()["code"]) == (503, "node_unreachable")
    assert "offline" in refused.json()["detail"]
    assert works(web, node["id"], joined.partition(".")[2])
    assert admin.post("/api/v1/nodes/nope/rotate-key").status_code == 404
