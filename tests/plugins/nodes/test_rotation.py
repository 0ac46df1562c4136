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
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from whole_panel import Process

from stellar.audit import Entry
from stellar.plugins.nodes import rotation
from stellar.plugins.nodes.agent.identity import Identity, read_identity, write_identity
from stellar.plugins.nodes.models import Node
from stellar.plugins.nodes.protocol import CLOSE_RENEWED, Ack, Call, Reply, ReplyError
from stellar.testing.waiting import wait_until


@pytest.fixture
def web(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[WebServer]:
    with full_panel(tmp_path, redis_url, database_url) as server:
        yield server


@pytest.fixture
def admin(web: WebServer) -> Iterator[httpx.Client]:
    with web.signed_in("admin@example.com", "admin", timeout=30) as client:
        yield client


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent is a script that doesn't link again."""
    monkeypatch.setattr(rotation, "RELINK_SECONDS", 0.1)


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
        assert not works(web, node["id"], old)
        assert Entry.select().where(Entry.action == "node.rotate_key").count() == 1
        assert online(admin, node["id"])
        assert admin.post(f"/api/v1/nodes/{node['id']}/rotate-key").status_code == 200
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


def test_rotating_cuts_the_link_at_once(web: WebServer, admin: httpx.Client, deaf: None) -> None:
    node, joined = new_node(admin, "attic")
    with dial(web.url, joined) as socket, ThreadPoolExecutor(1) as pool:
        greet(socket)
        answer = rotating(pool, admin, node["id"])
        send(socket, Reply(next_call(socket).id, {}))
        assert answer.result().status_code == 200
        with pytest.raises(ConnectionClosed) as ended:
            receive(socket)
        assert ended.value.rcvd is not None and ended.value.rcvd.code == CLOSE_RENEWED


@pytest.mark.parametrize("kept", [0, 1])
def test_two_rotations_at_a_time_leave_the_key_that_the_agent_has_kept(
    web: WebServer, admin: httpx.Client, deaf: None, kept: int
) -> None:
    node, joined = new_node(admin, "attic")
    with dial(web.url, joined) as socket, ThreadPoolExecutor(2) as pool:
        greet(socket)
        answers = [rotating(pool, admin, node["id"]) for _ in range(2)]
        calls = [next_call(socket) for _ in answers]
        for call in calls:
            send(socket, Reply(call.id, {}))
        assert sorted(answer.result().status_code for answer in answers) in ([200, 200], [200, 503])
    keys = [call.params["key"] for call in calls]
    assert not works(web, node["id"], joined.partition(".")[2])
    assert works(web, node["id"], keys[kept])
    assert not works(web, node["id"], keys[1 - kept])


def test_an_offline_node_keeps_its_key(web: WebServer, admin: httpx.Client) -> None:
    node, joined = new_node(admin, "attic")
    refused = admin.post(f"/api/v1/nodes/{node['id']}/rotate-key")
    assert (refused.status_code, refused.json()["code"]) == (503, "node_unreachable")
    assert "offline" in refused.json()["detail"]
    assert works(web, node["id"], joined.partition(".")[2])
    assert admin.post("/api/v1/nodes/nope/rotate-key").status_code == 404
