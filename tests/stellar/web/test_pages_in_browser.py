"""The pages in a real Chromium: forms, dialogs, colours, keyboard, narrow screens."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyotp
import pytest
from browser_parts import chromium, complaints, context_of
from full_panel import full_panel
from playwright.sync_api import Browser, Page, expect
from rights_parts import new_node, new_server
from web_parts import PASSWORD, WebServer

from stellar.auth import users
from stellar.db import disconnect

pytestmark = pytest.mark.browser

PAGES = (
    "/dashboard",
    "/servers",
    "/servers/new",
    "/nodes",
    "/nodes/locations",
    "/settings",
    "/settings/security",
    "/settings/keys",
    "/settings/activity",
    *(f"/admin?tab={tab}" for tab in ("overview", "users", "roles", "jobs", "audit", "plugins", "settings")),
)
SERVER_PAGES = ("", "/startup", "/allocations", "/members", "/activity", "/settings")
"""Those that don't need the node to answer."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def web(tmp_path: Path, redis_url: str) -> Iterator[WebServer]:
    with full_panel(tmp_path / "data", redis_url) as server:
        yield server


@pytest.fixture
def root(web: WebServer) -> Iterator[httpx.Client]:
    """An administrator's session."""
    with web.signed_in("root@example.com", "admin") as client:
        yield client


@pytest.fixture
def page(browser: Browser, root: httpx.Client) -> Iterator[Page]:
    """A tab of the administrator's browser."""
    with context_of(browser, root, viewport={"width": 1440, "height": 900}) as context:
        yield context.new_page()


def test_signing_in_and_out(browser: Browser, web: WebServer, root: httpx.Client) -> None:
    context = browser.new_context(base_url=web.url)
    page = context.new_page()
    page.goto("/settings")
    expect(page).to_have_url(re.compile("/auth/signin"))
    page.get_by_test_id("field-email").fill("root@example.com")
    page.get_by_test_id("field-password").fill("wrong password")
    page.get_by_test_id("signin").click()
    expect(page.get_by_test_id("form-error")).to_be_visible()
    page.get_by_test_id("field-password").fill(PASSWORD)
    page.get_by_test_id("field-password").press("Enter")
    expect(page).to_have_url(f"{web.url}/settings")
    page.get_by_test_id("sign-out").click()
    expect(page).to_have_url(f"{web.url}/auth/signin")
    page.goto("/dashboard")
    expect(page).to_have_url(re.compile("/auth/signin"))
    context.close()


def test_no_page_breaks_its_policy_or_a_narrow_screen(browser: Browser, root: httpx.Client) -> None:
    node = new_node()
    server = new_server(users.get(root.get("/api/v1/users/me").json()["id"]), node)
    disconnect()
    paths = [*PAGES, f"/nodes/{node.id}", *(f"/servers/{server.id}{rest}" for rest in SERVER_PAGES)]
    for width, scheme in ((1440, "light"), (390, "dark")):
        options = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
        with context_of(browser, root, **options) as context:
            page = context.new_page()
            found = complaints(page)
            for path in paths:
                page.goto(path)
                expect(page.locator("h1")).to_be_visible()
                assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert found == []


def test_a_node_is_added_with_a_command_to_paste(page: Page, root: httpx.Client) -> None:
    page.goto("/nodes")
    page.get_by_test_id("new-node").first.click()
    page.get_by_test_id("field-name").fill("attic")
    page.get_by_test_id("field-port_end").fill("1")
    page.get_by_test_id("create-node").click()
    expect(page.locator("[data-error=port_end]")).to_contain_text("below port_start")
    expect(page.get_by_test_id("field-port_end")).to_be_focused()
    page.get_by_test_id("field-port_end").fill("25600")
    page.get_by_test_id("create-node").click()
    expect(page.get_by_test_id("join-command")).to_contain_text("--token join_")
    page.get_by_test_id("join-done").click()
    expect(page.get_by_test_id("node-state")).to_have_text("Waiting to join")
    page.get_by_label("Actions for attic").click()
    page.get_by_test_id("remove-node").click()
    page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("node")).to_have_count(0)
    assert root.get("/api/v1/nodes").json()["items"] == []


def test_a_menu_stays_open_while_the_figures_are_refreshed(page: Page, root: httpx.Client) -> None:
    root.post("/api/v1/nodes", json={"name": "attic"})
    page.goto("/nodes")
    page.get_by_label("Actions for attic").click()
    with page.expect_response(lambda response: response.url.endswith("/nodes")):
        page.evaluate("document.body.dispatchEvent(new Event('stellar:tick'))")
    root.post("/api/v1/nodes", json={"name": "basement"})
    page.evaluate("document.body.dispatchEvent(new Event('stellar:tick'))")
    expect(page.get_by_test_id("node")).to_have_count(2)
    expect(page.get_by_test_id("remove-node").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("remove-node").first).to_be_hidden()


def test_a_refresh_that_fails_leaves_the_page_as_it_was(page: Page, root: httpx.Client) -> None:
    root.post("/api/v1/nodes", json={"name": "attic"})
    page.goto("/nodes")
    page.route("**/nodes", lambda route: route.fulfill(status=503, body="<h1>away</h1>"))
    with page.expect_response(lambda response: response.status == 503):
        page.evaluate("document.body.dispatchEvent(new Event('stellar:tick'))")
    page.unroute("**/nodes")
    with page.expect_response(lambda response: response.status == 200):
        page.evaluate("document.body.dispatchEvent(new Event('stellar:tick'))")
    expect(page.get_by_test_id("node")).to_have_count(1)


def test_the_end_of_a_session_leads_to_sign_in(page: Page, root: httpx.Client) -> None:
    page.goto("/nodes")
    assert root.post("/api/v1/auth/signout").status_code == 204
    expect(page).to_have_url(re.compile("/auth/signin\\?next=%2Fnodes"), timeout=15_000)


def test_people_are_added_and_suspended(page: Page, root: httpx.Client) -> None:
    page.goto("/admin?tab=users")
    page.get_by_test_id("new-user").click()
    page.get_by_test_id("field-name").fill("Grace")
    page.get_by_test_id("field-email").fill("grace@example.com")
    page.get_by_test_id("field-password").fill("short")
    page.get_by_test_id("create-user").click()
    expect(page.locator("[data-error=password]")).to_contain_text("at least")
    page.get_by_test_id("field-password").fill("long enough")
    page.get_by_test_id("create-user").click()
    row = page.locator("tr", has_text="grace@example.com")
    row.get_by_test_id("user-menu").click()
    row.get_by_test_id("suspend").click()
    page.get_by_test_id("confirm").click()
    expect(row.get_by_test_id("user-state")).to_have_text("Suspended")
    row.get_by_test_id("user-menu").click()
    row.get_by_test_id("unsuspend").click()
    expect(row.get_by_test_id("user-state")).to_have_text("Active")


def test_the_chosen_colours_stay(page: Page, root: httpx.Client) -> None:
    scheme = "getComputedStyle(document.documentElement).colorScheme"
    page.goto("/settings")
    assert page.evaluate(scheme) == "light"
    with page.expect_response(lambda response: response.url.endswith("/users/me")):
        page.get_by_test_id("scheme-dark").click()
    assert page.evaluate(scheme) == "dark"
    page.reload()
    assert page.evaluate(scheme) == "dark"
    expect(page.get_by_test_id("scheme-dark")).to_have_attribute("aria-pressed", "true")
    assert root.get("/api/v1/users/me").json()["theme"] == "dark"


def test_the_profile_is_saved_without_leaving_the_page(page: Page) -> None:
    page.goto("/settings")
    page.get_by_test_id("field-name").fill("Root & Co")
    page.get_by_test_id("save-profile").click()
    expect(page.get_by_test_id("account-name")).to_have_text("Root & Co")


def test_the_keyboard_reaches_the_content_first(page: Page) -> None:
    page.goto("/dashboard")
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#main$"))


def test_without_a_node_the_form_says_what_to_do(page: Page) -> None:
    page.goto("/servers/new")
    expect(page.get_by_text("There is no node to run it on")).to_be_visible()
    expect(page.get_by_role("link", name="Add a node")).to_be_visible()


def test_two_factor_sign_in(browser: Browser, web: WebServer, page: Page) -> None:
    found = complaints(page)
    page.goto("/settings/security")
    page.get_by_test_id("enrol-password").fill(PASSWORD)
    page.get_by_test_id("enrol").click()
    expect(page.locator("#enrol-qr")).to_be_visible()
    assert page.locator("#enrol-qr").evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    secret = page.get_by_test_id("enrol-secret").inner_text()
    page.get_by_test_id("enrol-code").fill(pyotp.TOTP(secret).generate_otp(int(time.time()) // 30 - 1))
    page.get_by_test_id("enrol-confirm").click()
    expect(page.get_by_test_id("recovery-codes")).to_contain_text("-")
    codes = page.get_by_test_id("recovery-codes").inner_text().split()
    expect(page.get_by_test_id("second-off")).to_be_hidden()
    assert len(codes) == 10
    page.get_by_test_id("recovery-kept").click()
    expect(page.get_by_test_id("second-on")).to_be_visible()
    other = browser.new_context(base_url=web.url).new_page()
    other.goto("/auth/signin?next=/settings/security")
    other.get_by_test_id("field-email").fill("root@example.com")
    other.get_by_test_id("field-password").fill(PASSWORD)
    other.get_by_test_id("signin").click()
    other.get_by_test_id("field-code").fill("000000")
    other.get_by_test_id("second-signin").click()
    expect(other.get_by_test_id("form-error")).to_contain_text("not valid")
    other.get_by_test_id("field-code").fill(codes[0])
    other.get_by_test_id("second-signin").click()
    expect(other).to_have_url(re.compile("/settings/security"))
    other.get_by_test_id("renew-password").fill(PASSWORD)
    other.get_by_test_id("renew-code").fill(codes[1])
    other.get_by_test_id("second-disable").click()
    expect(other.get_by_test_id("second-off")).to_be_visible()
    other.context.close()
    assert not found


def test_passkeys(browser: Browser, web: WebServer, root: httpx.Client) -> None:
    context = browser.new_context(base_url=web.url.replace("127.0.0.1", "localhost"))
    context.set_default_timeout(15_000)
    page = context.new_page()
    devices = context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page.goto("/auth/signin?next=/settings/security")
    page.get_by_test_id("field-email").fill("root@example.com")
    page.get_by_test_id("field-password").fill(PASSWORD)
    page.get_by_test_id("signin").click()
    page.get_by_test_id("passkey-name").fill("My laptop")
    page.get_by_test_id("passkey-password").fill(PASSWORD)
    page.get_by_test_id("passkey-add").click()
    expect(page.get_by_test_id("passkey")).to_contain_text("My laptop")
    page.get_by_test_id("passkey-rename").click()
    page.get_by_test_id("prompt").fill("Old laptop")
    page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("passkey")).to_contain_text("Old laptop")
    page.get_by_test_id("settings-sign-out").click()
    expect(page).to_have_url(re.compile("/auth/signin"))
    page.goto("/auth/signin?next=/settings/security")
    page.get_by_test_id("passkey-signin").click()
    expect(page).to_have_url(re.compile("/settings/security$"))
    page.get_by_test_id("passkey-delete").click()
    page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("passkey")).to_have_count(0)
    page.get_by_test_id("settings-sign-out").click()
    page.get_by_test_id("passkey-signin").click()
    expect(page.get_by_test_id("form-error")).to_contain_text("not known")
    context.close()
