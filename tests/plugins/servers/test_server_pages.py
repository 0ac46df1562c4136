"""A server's pages in a real Chromium: members, ports, settings, and tabs only for those who may use them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser_parts import chromium, complaints, context_of
from full_panel import full_panel
from playwright.sync_api import Browser, Page, expect
from rights_parts import add_member, new_node, new_server, new_user, signed_in
from web_parts import PASSWORD, WebServer

from stellar import settings
from stellar.auth.models import User
from stellar.auth.permissions import SYSTEM
from stellar.db import disconnect
from stellar.plugins.nodes.protocol import Report
from stellar.plugins.nodes.reports import apply_report
from stellar.plugins.servers.models import Member, Server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def web(tmp_path: Path, redis_url: str) -> Iterator[WebServer]:
    """A panel with every plugin and no node connected."""
    with full_panel(tmp_path, redis_url, servers={"allocation_limit": 2}) as server:
        yield server


@pytest.fixture
def owner(web: WebServer) -> User:
    """Who owns ``server``."""
    return new_user(name="owner")


@pytest.fixture
def server(owner: User) -> Server:
    """A server that is offline."""
    made = new_server(owner, new_node())
    disconnect()
    return made


@contextmanager
def tab_of(browser: Browser, web: WebServer, user: User) -> Iterator[Page]:
    """A tab of somebody's own browser."""
    with signed_in(web, user) as client, context_of(browser, client) as context:
        yield context.new_page()


@pytest.fixture
def page(browser: Browser, web: WebServer, owner: User) -> Iterator[Page]:
    """A tab of the owner's browser."""
    with tab_of(browser, web, owner) as found:
        yield found


def tabs(page: Page) -> list[str]:
    """The names of a server's tabs."""
    return [text.strip() for text in page.locator("nav[aria-label=Server] a").all_inner_texts()]


def test_a_friend_is_invited_and_joins_in_another_browser(
    browser: Browser, web: WebServer, page: Page, server: Server
) -> None:
    settings.put(SYSTEM, settings.OPEN_REGISTRATION, True)
    disconnect()
    found = complaints(page)
    page.goto(f"/servers/{server.id}/members")
    page.get_by_test_id("invite").click()
    dialog = page.locator("#invite")
    expect(dialog.get_by_test_id("preset-viewer")).to_have_attribute("aria-pressed", "true")
    dialog.get_by_test_id("preset-operator").click()
    expect(dialog.get_by_test_id("check-control.start")).to_be_checked()
    dialog.get_by_test_id("check-control.kill").uncheck()
    expect(dialog.get_by_test_id("preset-operator")).to_have_attribute("aria-pressed", "false")
    page.get_by_test_id("field-email").fill("grace@example.com")
    page.get_by_test_id("send-invitation").click()
    expect(page.get_by_test_id("invitation-url")).to_contain_text("token=")
    first = page.get_by_test_id("invitation-url").inner_text()
    page.get_by_test_id("link-done").click()
    page.get_by_test_id("new-link").click()
    expect(page.get_by_test_id("invitation-url")).not_to_have_text(first)
    link = page.get_by_test_id("invitation-url").inner_text()
    page.get_by_test_id("link-done").click()

    context = browser.new_context()
    friend = context.new_page()
    friend.goto(link.replace(link.partition("/invitations")[0], web.url))
    friend.get_by_test_id("to-signup").click()
    friend.get_by_test_id("field-name").fill("Grace")
    friend.get_by_test_id("field-email").fill("grace@example.com")
    friend.get_by_test_id("field-password").fill(PASSWORD)
    friend.get_by_test_id("signup").click()
    friend.get_by_test_id("accept").click()
    expect(friend.get_by_test_id("server-name")).to_have_text(server.name)
    expect(friend.get_by_test_id("power-start")).to_be_visible()
    assert "Members" not in tabs(friend)
    assert "Settings" in tabs(friend)

    row = page.get_by_test_id("members").locator("li", has_text="grace@example.com")
    expect(row).to_be_visible()
    expect(page.get_by_test_id("no-invitations")).to_be_visible()
    row.get_by_test_id("change-member").click()
    dialog = page.locator("#change-member")
    expect(dialog.get_by_test_id("check-control.start")).to_be_checked()
    dialog.get_by_test_id("preset-viewer").click()
    page.get_by_test_id("save-member").click()
    expect(row).to_contain_text("Viewer")
    friend.reload()
    expect(friend.get_by_test_id("power-start")).to_have_count(0)
    row.get_by_test_id("remove-member").click()
    page.get_by_test_id("confirm").click()
    expect(row).to_have_count(0)
    friend.goto(f"{web.url}/servers/{server.id}")
    expect(friend.get_by_text("There is no such server")).to_be_visible()
    context.close()
    assert found == []


def test_nobody_is_offered_what_they_cannot_give(browser: Browser, web: WebServer, server: Server) -> None:
    member = new_user(name="member")
    add_member(server, member, "users.read", "users.create", "console.read")
    disconnect()
    with tab_of(browser, web, member) as page:
        page.goto(f"/servers/{server.id}/members")
        assert tabs(page) == ["Overview", "Console", "Members"]
        page.evaluate("document.querySelector('#invite').showModal()")
        offered = page.locator("#invite input[type=checkbox]").evaluate_all("boxes => boxes.map(box => box.value)")
        assert sorted(offered) == ["console.read", "servers.read", "users.create", "users.read"]
        expect(page.locator("#invite [data-preset]")).to_have_count(0)
        expect(page.get_by_test_id("change-member")).to_have_count(0)
        page.goto(f"/servers/{server.id}/settings")
        expect(page.get_by_text("You may not do this on this server")).to_be_visible()


def test_settings_are_read_by_who_may_change_none_of_them(browser: Browser, web: WebServer, server: Server) -> None:
    member = new_user(name="member")
    add_member(server, member, "settings.read")
    disconnect()
    with tab_of(browser, web, member) as page:
        page.goto(f"/servers/{server.id}/settings")
        assert tabs(page) == ["Overview", "Settings"]
        expect(page.get_by_test_id("made-of")).to_contain_text("128 MiB")
        expect(page.locator("main form, main [data-action]")).to_have_count(0)


def test_a_member_leaves(browser: Browser, web: WebServer, server: Server) -> None:
    member = new_user(name="member")
    add_member(server, member)
    disconnect()
    with tab_of(browser, web, member) as page:
        page.goto(f"/servers/{server.id}")
        page.get_by_test_id("leave-server").click()
        page.get_by_test_id("confirm").click()
        expect(page.get_by_text("No servers yet")).to_be_visible()
    assert Member.select().count() == 0
    disconnect()


def test_ports_are_added_up_to_the_limit_and_change_places(page: Page, server: Server) -> None:
    page.goto(f"/servers/{server.id}/allocations")
    expect(page.get_by_text("No ports", exact=True)).to_be_visible()
    for note in ("", "voice"):
        page.get_by_test_id("new-port").click()
        page.get_by_test_id("field-note").fill(note)
        with page.expect_navigation():
            page.get_by_test_id("add-port").click()
    ports = page.get_by_test_id("ports").locator("li")
    expect(ports).to_have_count(2)
    expect(page.get_by_test_id("new-port")).to_be_disabled()
    expect(ports.nth(1)).to_contain_text("voice")
    second = ports.nth(1).get_attribute("data-port") or ""
    page.get_by_test_id("make-primary").click()
    with page.expect_navigation():
        page.get_by_test_id("confirm").click()
    expect(ports.first).to_have_attribute("data-port", second)
    ports.first.get_by_test_id("edit-note").click()
    field = page.get_by_test_id("note").first
    field.fill("for players")
    with page.expect_navigation():
        field.press("Enter")
    expect(ports.first).to_contain_text("for players")
    page.get_by_test_id("remove-port").click()
    with page.expect_navigation():
        page.get_by_test_id("confirm").click()
    expect(ports).to_have_count(1)


def test_a_server_is_renamed(page: Page, server: Server) -> None:
    page.goto(f"/servers/{server.id}/settings")
    page.get_by_test_id("field-name").fill("\u202e")
    page.get_by_test_id("save-name").click()
    expect(page.locator("[data-error=name]")).not_to_be_empty()
    expect(page.get_by_test_id("field-name")).to_be_focused()
    page.get_by_test_id("field-name").fill("Friday night")
    page.get_by_test_id("field-description").fill("Bring snacks.\nAt eight.")
    with page.expect_navigation():
        page.get_by_test_id("save-name").click()
    expect(page.get_by_test_id("server-name")).to_have_text("Friday night")
    expect(page.get_by_test_id("save-resources")).to_have_count(0)
    expect(page.get_by_test_id("suspend-server")).to_have_count(0)
    page.goto(f"/servers/{server.id}")
    expect(page.get_by_test_id("description")).to_have_text("Bring snacks.\nAt eight.")


def test_a_server_over_its_disk_limit_is_shown_at_once(page: Page, server: Server) -> None:
    def report(position: int, level: str) -> None:
        data = {"level": level, "used_bytes": 6 * 2**30, "limit_bytes": 5 * 2**30, "at": float(position)}
        apply_report(server.node_id, Report(f"box:{position}", "server.disk", server.id, data))
        disconnect()

    page.goto(f"/servers/{server.id}")
    expect(page.locator("h1")).to_be_visible()
    expect(page.get_by_test_id("history")).to_have_count(0)  # there is no node that could be asked
    warning = page.get_by_test_id("disk-warning")
    expect(warning).to_have_count(0)
    report(1, "over")
    expect(warning).to_contain_text("over its disk limit: 6 GiB of")
    expect(warning).to_contain_text("it will be stopped soon")
    report(2, "stopped")
    expect(warning).to_contain_text("can't be started")
    report(3, "ok")
    expect(warning).to_have_count(0)


def test_what_breaks_a_rule_is_said_beside_the_field(page: Page, server: Server) -> None:
    page.goto(f"/servers/{server.id}/startup")
    field = page.locator("#variable-START_COMMAND")
    expect(field).to_have_attribute("required", "")
    page.get_by_test_id("startup-form").evaluate("form => form.noValidate = true")
    field.fill("")
    page.get_by_test_id("save-startup").click()
    expect(page.locator("#variable-START_COMMAND-error")).to_contain_text("required")
    expect(field).to_be_focused()


def test_a_suspended_server_shows_only_what_can_be_used(browser: Browser, web: WebServer, server: Server) -> None:
    with tab_of(browser, web, new_user("admin", "root")) as page:
        page.goto(f"/servers/{server.id}/settings")
        page.get_by_test_id("suspend-server").click()
        with page.expect_navigation():
            page.get_by_test_id("confirm").click()
        expect(page.get_by_test_id("server-state")).to_have_text("Suspended")
        assert not {"Console", "Files"} & set(tabs(page))
        with page.expect_navigation():
            page.get_by_test_id("unsuspend-server").click()
        assert {"Console", "Files"} <= set(tabs(page))


def test_what_others_change_is_shown_at_once(page: Page, server: Server, web: WebServer, owner: User) -> None:
    page.add_init_script("window.setInterval = () => 0")  # nothing is asked for again by the clock
    with page.expect_websocket(lambda socket: "/api/v1/events" in socket.url) as opened:
        page.goto("/servers")
    opened.value.wait_for_event("framereceived", lambda frame: '"hello"' in str(frame))
    with signed_in(web, owner) as client:
        assert client.patch(f"/api/v1/servers/{server.id}", json={"name": "Renamed"}).status_code == 200
    opened.value.wait_for_event("framereceived", lambda frame: "server.updated" in str(frame))
    expect(page.get_by_role("link", name="Renamed", exact=True)).to_be_visible()
