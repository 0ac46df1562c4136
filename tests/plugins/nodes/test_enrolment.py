"""Joining: the token works once and not for long, the key is told once and can be taken away."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
from link_parts import dial, greet, new_node, receive
from web_parts import WebServer
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stellar.db import now
from stellar.plugins.nodes.models import JoinToken, Node
from stellar.plugins.nodes.protocol import Refused


def enrol(web: WebServer, token: str) -> httpx.Response:
    with web.client() as client:
        return client.post("/api/v1/nodes/enrol", json={"token": token})


def test_a_node_is_made_and_joined(web: WebServer, admin: httpx.Client) -> None:
    answer = admin.post("/api/v1/nodes", json={"name": "attic", "port_start": 30000, "port_end": 30010})
    assert answer.status_code == 201
    join = answer.json()["join"]
    assert join["command"] == f"stellar agent --panel {web.url} --token {join['token']}"
    joined = enrol(web, join["token"]).json()
    assert joined["name"] == "attic"
    stored = Node.get_by_id(joined["node_id"])
    assert joined["key"] not in (stored.key_hash, "") and len(stored.key_hash) == 64
    assert stored.address == "127.0.0.1"


def test_a_join_token_cannot_be_used_again(web: WebServer, admin: httpx.Client) -> None:
    token = admin.post("/api/v1/nodes", json={"name": "attic"}).json()["join"]["token"]
    assert enrol(web, token).status_code == 200
    key_hash = Node.get(Node.name == "attic").key_hash
    again = enrol(web, token)
    assert (again.status_code, again.json()["code"]) == (401, "join_token")
    assert Node.get(Node.name == "attic").key_hash == key_hash


def test_a_join_token_expires(web: WebServer, admin: httpx.Client) -> None:
    token = admin.post("/api/v1/nodes", json={"name": "attic"}).json()["join"]["token"]
    JoinToken.update(expires_at=now() - timedelta(seconds=1)).execute()
    assert enrol(web, token).status_code == 401


def test_a_new_join_command_replaces_the_last(web: WebServer, admin: httpx.Client) -> None:
    made = admin.post("/api/v1/nodes", json={"name": "attic"}).json()
    newer = admin.post("/api/v1/nodes/attic/join").json()
    assert enrol(web, made["join"]["token"]).status_code == 401
    assert enrol(web, newer["token"]).status_code == 200


@pytest.mark.parametrize("body", [{"token": ""}, {"token": "join_guess"}, {"token": 1}, {"token": "a", "more": 1}, {}])
def test_guessed_and_malformed_tokens_are_refused(web: WebServer, body: dict[str, object]) -> None:
    with web.client() as client:
        assert client.post("/api/v1/nodes/enrol", json=body).status_code in (401, 422)


def test_revoking_a_key_cuts_the_link_at_once(web: WebServer, admin: httpx.Client) -> None:
    node, key = new_node(admin, "attic")
    with dial(web.url, key) as socket:
        greet(socket)
        assert admin.get(f"/api/v1/nodes/{node['id']}").json()["online"] is True
        assert admin.post(f"/api/v1/nodes/{node['id']}/revoke").status_code == 200
        frame = receive(socket)
        assert isinstance(frame, Refused) and frame.code == "key"
        with pytest.raises(ConnectionClosed):
            receive(socket)
    with pytest.raises(InvalidStatus, match="401"):
        dial(web.url, key)


@pytest.mark.parametrize(
    "key", ["", "nonsense", ".", "{id}.", "{id}.wrong", "00000000-0000-0000-0000-000000000000.{key}"]
)
def test_a_link_needs_a_valid_key(web: WebServer, key: str, admin: httpx.Client) -> None:
    node, real = new_node(admin, "attic")
    with pytest.raises(InvalidStatus, match="401"):
        dial(web.url, key.format(id=node["id"], key=real.partition(".")[2]))


def test_users_cannot_see_or_make_nodes(web: WebServer, admin: httpx.Client) -> None:
    node, _ = new_node(admin, "attic")
    with web.signed_in("ada@example.com") as user:
        assert user.get("/api/v1/nodes").status_code == 403
        assert user.post("/api/v1/nodes", json={"name": "mine"}).status_code == 403
        assert user.post(f"/api/v1/nodes/{node['id']}/join").status_code == 403
        assert user.delete(f"/api/v1/nodes/{node['id']}").status_code == 403
    with web.client() as nobody:
        assert nobody.get("/api/v1/nodes").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "a" * 65},
        {"name": "a\nb"},
        {"name": "<script>"},
        {"name": "a", "port_start": 10, "port_end": 9},
        {"name": "a", "port_start": 0},
        {"name": "a", "port_end": 65536},
        {"name": "a", "address": "not an address"},
        {"name": "a", "key_hash": "x"},
    ],
)
def test_bad_nodes_are_refused(web: WebServer, body: dict[str, object], admin: httpx.Client) -> None:
    assert admin.post("/api/v1/nodes", json=body).status_code == 422
    assert Node.select().count() == 0


def test_names_are_unique(web: WebServer, admin: httpx.Client) -> None:
    assert admin.post("/api/v1/nodes", json={"name": "attic"}).status_code == 201
    assert admin.post("/api/v1/nodes", json={"name": "attic"}).status_code == 409


def test_a_node_is_removed(web: WebServer, admin: httpx.Client) -> None:
    node, key = new_node(admin, "attic")
    with dial(web.url, key) as socket:
        greet(socket)
        assert admin.delete(f"/api/v1/nodes/{node['id']}").status_code == 204
        assert isinstance(receive(socket), Refused)
    assert admin.get(f"/api/v1/nodes/{node['id']}").status_code == 404
    with pytest.raises(InvalidStatus, match="401"):
        dial(web.url, key)
