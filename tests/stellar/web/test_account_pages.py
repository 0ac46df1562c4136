"""The pages of one's own account in a real Chromium: API keys, sessions, one's record."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from browser_parts import chromium, complaints, context_of
from full_panel import full_panel
from playwright.sync_api import Browser, Page, expect
from web_parts import PASSWORD, WebServer

from stellar.auth import proof
from stellar.db import now

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def web(tmp_path: Path, redis_url: str) -> Iterator[WebServer]:
    with full_panel(tmp_path / "data", redis_url) as server:
        yield server


@pytest.fixture
def ada(web: WebServer) -> Iterator[httpx.Client]:
    """Somebody with an account."""
    with web.signed_in() as client:
        yield client


@pytest.fixture
def page(browser: Browser, ada: httpx.Client) -> Iterator[Page]:
    """A tab of ada's browser."""
    with context_of(browser, ada) as context:
        yield context.new_page()


def test_an_api_key_is_made_used_and_revoked(page: Page, web: WebServer) -> None:
    found = complaints(page)
    page.goto("/settings/keys")
    page.get_by_test_id("new-key").click()
    page.get_by_test_id("field-name").fill("backup script")
    page.get_by_test_id("make-key").click()
    expect(page.locator("[data-error=scopes]")).not_to_be_empty()
    expect(page.get_by_test_id("check-admin.read")).to_have_count(0)
    page.get_by_test_id("check-servers.read").check()
    page.get_by_test_id("key-addresses").fill("not an address")
    page.get_by_test_id("make-key").click()
    expect(page.locator("[data-error=addresses]")).to_contain_text("not an address or network")
    page.get_by_test_id("key-addresses").fill("127.0.0.0/8\n192.0.2.7")
    page.get_by_test_id("make-key").click()
    expect(page.get_by_test_id("key-token")).to_contain_text("stk_")
    token = page.get_by_test_id("key-token").inner_text()
    page.get_by_test_id("key-kept").click()
    with web.client(headers={"Authorization": f"Bearer {token}"}) as script:
        assert script.get("/api/v1/servers").status_code == 200
        assert script.post("/api/v1/servers", json={}).json()["code"] == "scope_missing"
        page.goto("/settings/keys")
        expect(page.get_by_test_id("keys")).to_contain_text("from 127.0.0.1")
        assert token not in page.content()
        page.get_by_test_id("revoke-key").click()
        page.get_by_test_id("confirm").click()
        expect(page.get_by_text("No keys yet")).to_be_visible()
        assert script.get("/api/v1/servers").status_code == 401
    page.goto("/settings/activity")
    expect(page.get_by_test_id("own-activity")).to_contain_text("key.create")
    assert [one for one in found if "422" not in one] == []


def test_an_older_session_is_asked_who_it_is(page: Page, ada: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "now", lambda: now() + proof.RECENT)
    page.goto("/settings/keys")
    page.get_by_test_id("new-key").click()
    page.get_by_test_id("field-name").fill("script")
    page.get_by_test_id("check-servers.read").check()
    page.get_by_test_id("make-key").click()
    question = page.get_by_role("dialog", name="Confirm that it is you")
    question.get_by_test_id("prompt").fill("wrong password")
    question.get_by_test_id("confirm").click()
    expect(question).not_to_contain_text("Your password, or")
    question.get_by_test_id("prompt").fill(PASSWORD)
    question.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("key-token")).to_contain_text("stk_")
    assert len(ada.get("/api/v1/users/me/keys").json()) == 1


def test_another_session_is_ended(page: Page, web: WebServer) -> None:
    with web.signed_in(headers={"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"}) as elsewhere:
        page.goto("/settings/security")
        row = page.locator("li", has_text="Firefox on Windows")
        row.get_by_test_id("end-session").click()
        expect(row).to_have_count(0)
        assert elsewhere.get("/api/v1/auth/session").status_code == 401


@pytest.mark.parametrize(("chosen", "shown"), [("Asia/Tokyo", "Asia/Tokyo"), ("UTC", "America/New_York")])
def test_times_are_in_the_zone_and_style_of_the_account(
    browser: Browser, ada: httpx.Client, chosen: str, shown: str
) -> None:
    token = {"X-CSRF-Token": ada.get("/api/v1/auth/session").json()["csrf_token"]}
    changed = ada.patch("/api/v1/users/me", json={"time_zone": chosen, "locale": "de"}, headers=token)
    assert changed.status_code == 200, changed.text
    with context_of(browser, ada, timezone_id="America/New_York") as context:
        page = context.new_page()
        page.goto("/settings/activity")
        time = page.locator("time").first
        moment = datetime.fromisoformat(str(time.get_attribute("datetime"))).astimezone(ZoneInfo(shown))
        expect(time).to_have_attribute("title", f"{moment:%d.%m.%Y, %H:%M:%S}")


def test_preferences_are_kept(page: Page, ada: httpx.Client) -> None:
    page.goto("/settings")
    page.get_by_test_id("time-zone").select_option("Europe/Lisbon")
    page.get_by_test_id("field-locale").select_option("pt-BR")
    with page.expect_navigation():
        page.get_by_test_id("save-profile").click()
    me = ada.get("/api/v1/users/me").json()
    assert (me["time_zone"], me["locale"]) == ("Europe/Lisbon", "pt-BR")
    expect(page.get_by_test_id("field-locale")).to_have_value("pt-BR")
    expect(page.get_by_test_id("email-state")).to_have_text("Not confirmed")
    page.get_by_test_id("confirm-again").click()
    expect(page.get_by_test_id("toast")).to_contain_text("sends no mail")
