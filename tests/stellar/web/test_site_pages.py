"""The pages over HTTP: who gets what, and that every one of them renders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from full_panel import full_panel
from web_parts import WebServer

from stellar.auth import setup
from stellar.db import disconnect

MEMBER_PAGES = ("/dashboard", "/servers", *(f"/settings{rest}" for rest in ("", "/security", "/keys", "/activity")))
ADMIN_PAGES = (
    "/nodes",
    "/nodes/locations",
    "/servers/new",
    "/admin",
    *(f"/admin?tab={tab}" for tab in ("users", "roles", "jobs", "audit", "plugins", "settings")),
)


@pytest.fixture
def web(tmp_path: Path, redis_url: str) -> Iterator[WebServer]:
    """A panel without any account."""
    with full_panel(tmp_path / "data", redis_url) as server:
        yield server


def title(answer: httpx.Response) -> str:
    return answer.text.partition("<title>")[2].partition("</title>")[0]


def test_the_first_visit_says_how_to_set_up(web: WebServer) -> None:
    with web.client() as client:
        assert "set-up link" in client.get("/").text
        refused = client.get("/setup?token=wrong")
        assert refused.status_code == 404
        assert "link" in refused.text
        url = setup.setup_url(web.panel.config)
        disconnect()
        assert url is not None
        form = client.get("/setup", params={"token": url.partition("token=")[2]})
        assert form.status_code == 200
        assert form.headers["Referrer-Policy"] == "no-referrer"
        assert 'action="/api/v1/auth/setup"' in form.text


def test_every_page_renders_for_an_administrator(web: WebServer) -> None:
    with web.signed_in("root@example.com", "admin") as client:
        for path in (*MEMBER_PAGES, *ADMIN_PAGES):
            answer = client.get(path)
            assert answer.status_code == 200, (path, answer.text)
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
            policy = answer.headers["Content-Security-Policy"]
            assert "unsafe" not in policy
            assert "script-src 'self';" in policy
            assert 'aria-current="page"' in answer.text, path


def test_members_see_what_is_theirs(web: WebServer) -> None:
    with web.signed_in("ada@example.com") as client:
        for path in MEMBER_PAGES:
            answer = client.get(path)
            assert answer.status_code == 200, path
            assert "/admin" not in answer.text
            assert 'href="/nodes"' not in answer.text
        for path in ("/nodes", "/admin"):
            refused = client.get(path)
            assert refused.status_code == 403
            assert "ask an administrator" in refused.text
        gone = client.get("/servers/11111111-1111-4111-8111-111111111111")
        assert (gone.status_code, title(gone)) == (404, "There is nothing here · Stellar")


def test_strangers_are_sent_to_sign_in_and_back(web: WebServer) -> None:
    with web.signed_in("ada@example.com"), web.client() as client:
        sent = client.get("/servers?after=1")
        assert sent.status_code == 303
        assert sent.headers["Location"] == "/auth/signin?next=%2Fservers%3Fafter%3D1"
        form = client.get(sent.headers["Location"])
        assert 'data-next="/servers?after=1"' in form.text


@pytest.mark.parametrize(
    "target", ["//evil.example", "/\\evil.example", "https://evil.example", "/a\tb", "javascript:1"]
)
def test_nobody_is_sent_to_another_site(web: WebServer, target: str) -> None:
    with web.signed_in("ada@example.com") as client:
        sent = client.get("/auth/signin", params={"next": target})
        assert (sent.status_code, sent.headers["Location"]) == (303, "/dashboard")


def test_registration_is_closed_until_it_is_opened(web: WebServer) -> None:
    with web.signed_in("root@example.com", "admin") as root, web.client() as client:
        assert client.get("/auth/signup").status_code == 404
        assert "/auth/signup" not in client.get("/auth/signin").text
        assert root.put("/api/v1/admin/settings/auth.open_registration", json={"value": True}).status_code == 204
        assert client.get("/auth/signup").status_code == 200
        assert "/auth/signup" in client.get("/auth/signin").text


def test_what_people_type_is_escaped(web: WebServer) -> None:
    with web.signed_in("ada@example.com") as client:
        assert client.patch("/api/v1/users/me", json={"name": "<b>Ada</b>"}).status_code == 200
        text = client.get("/dashboard").text
        assert "&lt;b&gt;Ada&lt;/b&gt;" in text
        assert "<b>Ada" not in text


def test_the_colours_that_were_chosen_are_in_the_page(web: WebServer) -> None:
    with web.signed_in("ada@example.com") as client:
        assert 'media="(prefers-color-scheme: dark)"' in client.get("/dashboard").text
        client.patch("/api/v1/users/me", json={"theme": "dark"})
        assert 'data-scheme="dark"' in client.get("/dashboard").text


def test_safe_mode_has_the_built_in_look(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STELLAR_SAFE_MODE", "1")
    with full_panel(tmp_path / "data", redis_url, theme={"name": "gone"}) as web, web.client() as client:
        assert "/static/themes/nova/" in client.get("/").text


def test_a_theme_changes_tokens_and_templates(tmp_path: Path, redis_url: str) -> None:
    theme = tmp_path / "data/themes/plum"
    (theme / "static").mkdir(parents=True)
    (theme / "templates/core").mkdir(parents=True)
    (theme / "theme.toml").write_text('title = "Plum"\nstylesheets = ["plum.css"]\n')
    (theme / "static/plum.css").write_text(":root { --accent: plum }")
    (theme / "templates/core/landing.html").write_text('<%inherit file="/layouts/plain.html"/><h1>A plum panel</h1>')
    with full_panel(tmp_path / "data", redis_url, theme={"name": "plum"}) as web, web.client() as client:
        text = client.get("/").text
        assert "A plum panel" in text
        own, base = text.index("/static/themes/plum/plum.css?v="), text.index("/static/themes/nova/build/nova-")
        assert base < own, "the theme's own style sheet comes last, so that it wins"
        address = text[own:].partition('"')[0]
        assert client.get(address).text == ":root { --accent: plum }"
