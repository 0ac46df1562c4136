"""The API of blueprints, through a real web process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from web_parts import WebServer, make_panel, running

import stellar.plugins.blueprints
from stellar.plugins.blueprints import service
from stellar.plugins.blueprints.models import Blueprint

API = "/api/v1/blueprints"
BUILT_IN = sorted(path.name for path in service.BUILTIN.iterdir())


@pytest.fixture
def web(tmp_path: Path, redis_url: str) -> Iterator[WebServer]:
    panel = make_panel(tmp_path / "data", redis_url, stellar.plugins.blueprints)
    service.sync_builtin()
    with running(panel) as server:
        yield server


def test_list(web: WebServer) -> None:
    with web.signed_in() as client:
        answer = client.get(API)
    assert answer.status_code == 200
    assert sorted(row["name"] for row in answer.json()) == BUILT_IN
    (luanti,) = (row for row in answer.json() if row["name"] == "luanti")
    assert luanti["builtin"] is True
    assert luanti["runtimes"]["process"]["requires"] == [{"command": "minetestserver", "package": "minetest-server"}]
    assert luanti["resources"]["memory_mb"] == {"minimum": 128, "recommended": 512}
    assert luanti["ports"] == [{"name": "game", "protocol": "udp"}]
    assert "source" not in luanti


def test_show_by_id_and_name(web: WebServer) -> None:
    with web.signed_in() as client:
        found = client.get(f"{API}/teeworlds").json()
        assert client.get(f"{API}/{found['id']}").json() == found
        assert found["stop"] == {"signal": "SIGINT", "grace_seconds": 10}
        assert found["source"] is None
        missing = client.get(f"{API}/nope")
    assert missing.status_code == 404
    assert missing.json()["code"] == "not_found"
    with web.signed_in("admin@example.com", "admin") as client:
        assert client.get(f"{API}/teeworlds").json()["source"].startswith("format = 1")


def test_icon(web: WebServer) -> None:
    with web.signed_in() as client:
        url = client.get(f"{API}/luanti").json()["icon_url"]
        answer = client.get(url)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert answer.content == (service.BUILTIN / "luanti" / "icon.svg").read_bytes()
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "immutable" in answer.headers["Cache-Control"]
        assert "no-cache" in client.get(f"{API}/luanti/icon?v=old").headers["Cache-Control"]
        assert client.get(f"{API}/nope/icon").status_code == 404


@pytest.mark.parametrize("path", ["", "/luanti", "/luanti/icon"])
def test_only_for_those_who_are_signed_in(web: WebServer, path: str) -> None:
    with web.client() as client:
        assert client.get(f"{API}{path}").status_code == 401


def test_users_may_change_nothing(web: WebServer) -> None:
    calls = [
        ("POST", ""),
        ("POST", "/import"),
        ("PUT", "/luanti"),
        ("DELETE", "/luanti"),
        ("POST", "/luanti/restore"),
        ("GET", "/luanti/export"),
    ]
    with web.signed_in() as user, web.client() as nobody:
        for method, path in calls:
            assert user.request(method, f"{API}{path}", json={}).status_code == 403, path
            assert nobody.request(method, f"{API}{path}", json={}).status_code == 401, path
    assert Blueprint.select().count() == len(BUILT_IN)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"search": "SHOOTER 2d"}, ["teeworlds"]),
        ({"search": "multiplayer 2d"}, ["teeworlds"]),
        ({"search": "no such game"}, []),
        ({"search": "%"}, []),
        ({"category": "shooter"}, ["counter-strike-2", "team-fortress-2", "teeworlds"]),
        ({"category": "shooter", "search": "luanti"}, []),
        ({"category": "voice"}, ["mumble", "teamspeak"]),
        ({"category": "racing"}, []),
    ],
)
def test_search_and_category(web: WebServer, query: dict[str, str], found: list[str]) -> None:
    with web.signed_in() as client:
        assert [row["name"] for row in client.get(API, params=query).json()] == found


@pytest.mark.parametrize("query", [{"category": "none"}, {"sort": "name"}, {"search": "x" * 101}])
def test_unknown_filters_are_refused(web: WebServer, query: dict[str, str]) -> None:
    with web.signed_in() as client:
        assert client.get(API, params=query).status_code == 422
