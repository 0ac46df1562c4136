"""What happens to servers reaches the browsers of those who may see it, with a real worker and a real node."""

from __future__ import annotations

import json
from typing import Any

import httpx
import websockets
from event_client import Follower, following
from product import GameServer
from whole_panel import Site


def until(follower: Follower, topic: str, **data: Any) -> list[dict[str, Any]]:
    """Read up to an event; all that came."""
    seen = []
    while True:
        event = follower.event()
        seen.append(event)
        if event["topic"] == topic and data.items() <= event["data"].items():
            return seen


def about(events: list[dict[str, Any]]) -> set[str]:
    return {subject for event in events for subject in event["subjects"]}


def test_the_owner_follows_a_server_from_its_creation_to_its_end(site: Site, ada: httpx.Client) -> None:
    with site.user("eve") as eve, following(site.web, ada) as mine, following(site.web, eve) as others:
        server = GameServer(ada, "quick", node=site.node.id)
        other = GameServer(eve, "quick", node=site.node.id)
        seen = until(mine, "server.status", state="offline")
        topics = [event["topic"] for event in seen]
        assert topics[0] == "server.created"
        assert "job.queued" in topics and "job.started" in topics
        assert f"server:{server.id}" in about(seen) and f"server:{other.id}" not in about(seen)
        server.wait("offline")
        assert ada.delete(server.path).status_code == 204
        seen = until(mine, "server.deleted")
        assert f"server:{other.id}" not in about(seen)
        assert f"server:{server.id}" not in about(until(others, "server.status", state="offline"))


def test_a_member_follows_as_long_as_they_are_one(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)
    with site.user("friend") as friend, following(site.web, friend, "?topics=server.status") as follower:
        me = friend.get("/api/v1/users/me").json()
        made = ada.post(f"{server.path}/members", json={"email": me["email"], "preset": "viewer"})
        assert made.status_code in (200, 201), made.text
        server.power("start")
        assert about(until(follower, "server.status", state="running")) == {f"server:{server.id}"}
        assert ada.delete(f"{server.path}/members/{me['id']}").status_code == 204
        server.power("stop")
        server.wait("offline")
        own = GameServer(friend, "quick", node=site.node.id)
        assert about(until(follower, "server.status", state="offline")) == {f"server:{own.id}"}


def test_an_api_key_follows_within_its_scopes_until_it_is_revoked(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)

    def key(scope: str) -> dict[str, Any]:
        made = ada.post("/api/v1/users/me/keys", json={"name": "script", "scopes": [scope]})
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    reader, creator = key("servers.read"), key("servers.create")
    with following(site.web, reader["token"]) as first, following(site.web, creator["token"]) as second:
        server.power("start")
        until(first, "server.status", state="running")
        for made in (reader, creator):
            assert ada.delete(f"/api/v1/users/me/keys/{made['id']}").status_code == 204
        assert ended(second) == []
        ended(first)


def ended(follower: Follower) -> list[dict[str, Any]]:
    """The events about servers that still came before the end."""
    seen = []
    try:
        while True:
            frame = json.loads(follower.socket.recv(10))
            if frame["type"] == "event" and frame["topic"].startswith("server."):
                seen.append(frame)
    except websockets.ConnectionClosed as closed:
        assert closed.rcvd is not None and closed.rcvd.code == 4401
    return seen
