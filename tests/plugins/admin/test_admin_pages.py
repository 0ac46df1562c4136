"""The administrators' pages in a real Chromium: accounts, roles, jobs, the audit log."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import job_parts
import pytest
from browser_parts import chromium, complaints, context_of
from playwright.sync_api import Browser, Page, expect
from web_parts import PASSWORD, WebServer

from stellar import jobs
from stellar.auth import impersonation, users
from stellar.auth.sessions import NewSession
from stellar.db import disconnect
from stellar.testing.waiting import wait_until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser, root: httpx.Client) -> Iterator[Page]:
    """A tab of the administrator's browser."""
    with context_of(browser, root) as context:
        yield context.new_page()


@pytest.fixture
def grace(web: WebServer) -> Iterator[httpx.Client]:
    """A user, signed in."""
    with web.signed_in("grace@example.com") as client:
        yield client


@pytest.fixture
def queue_up(root: httpx.Client, web: WebServer) -> Iterator[Callable[..., str]]:
    """Enqueue a job that only this test knows."""
    jobs.init([*web.panel.registry.jobs, *job_parts.JOBS])
    yield jobs.enqueue
    jobs.init(web.panel.registry.jobs)


def open_menu(page: Page, email: str) -> None:
    """The actions for one account."""
    page.goto("/admin?tab=users")
    page.locator("tr", has_text=email).get_by_test_id("user-menu").click()


def test_a_failed_job_is_tried_again_and_a_waiting_one_cancelled(
    page: Page, web: WebServer, queue_up: Callable[..., str], tmp_path: Path
) -> None:
    found = complaints(page)
    mark = tmp_path / "mark"
    page.goto("/admin?tab=jobs")
    expect(page.get_by_text("No jobs", exact=True)).to_be_visible()
    failing = queue_up("test.refused", {"path": str(mark)})
    row = page.locator(f"[data-job='{failing}']")
    with job_parts.worker(web.panel.config.redis_url, tmp_path):
        expect(row.get_by_test_id("job-error")).to_have_text("It is installed already.")
        expect(row.get_by_test_id("job-state")).to_have_text("Failed")
        row.get_by_test_id("retry-job").click()
        wait_until(lambda: len(mark.read_text().splitlines()) == 2, what="the second attempt")
        expect(row.get_by_test_id("job-state")).to_have_text("Failed")
    row.get_by_test_id("delete-job").click()
    page.get_by_test_id("confirm").click()
    expect(row).to_have_count(0)
    waiting = queue_up("test.note", {"path": str(mark), "api_token": "x"})
    page.get_by_test_id("jobs-queued").click()
    row = page.locator(f"[data-job='{waiting}']")
    expect(row).to_contain_text("********")
    row.get_by_test_id("cancel-job").click()
    page.get_by_test_id("confirm").click()
    expect(page.get_by_text("No job is in this state now")).to_be_visible()
    assert found == []


def test_a_role_is_made_given_and_in_use(page: Page, web: WebServer, grace: httpx.Client) -> None:
    page.goto("/admin?tab=roles")
    page.get_by_test_id("new-role").click()
    dialog = page.locator("#new-role")
    dialog.get_by_test_id("field-title").fill("Helper")
    dialog.get_by_test_id("field-name").fill("admin")
    dialog.get_by_test_id("check-nodes.read").check()
    dialog.get_by_test_id("create-role").click()
    expect(dialog.locator("[data-error=name]")).to_have_text("Is taken.")
    dialog.get_by_test_id("field-name").fill("helper")
    with page.expect_navigation():
        dialog.get_by_test_id("create-role").click()
    open_menu(page, "grace@example.com")
    page.locator("details[open] [data-testid=change-user]").click()
    page.get_by_test_id("change-role").select_option("helper")
    with page.expect_navigation():
        page.get_by_test_id("save-user").click()
    expect(page.locator("tr", has_text="grace@example.com")).to_contain_text("Helper")
    assert grace.get("/api/v1/nodes").status_code == 200
    page.goto("/admin?tab=roles")
    row = page.locator("[data-role=helper]")
    row.get_by_test_id("delete-role").click()
    page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("toast")).to_contain_text("Accounts have this role")
    row.get_by_test_id("change-role").click()
    page.locator("#change-role").get_by_test_id("check-nodes.read").uncheck()
    page.locator("#change-role").get_by_test_id("check-jobs.read").check()
    with page.expect_navigation():
        page.get_by_test_id("save-role").click()
    assert grace.get("/api/v1/nodes").status_code == 403


def test_an_address_that_waits_is_confirmed(page: Page, grace: httpx.Client) -> None:
    open_menu(page, "grace@example.com")
    expect(page.get_by_test_id("confirm-email")).to_have_count(0)
    me = {"email": "hopper@example.com", "password": PASSWORD}
    token = {"X-CSRF-Token": grace.get("/api/v1/auth/session").json()["csrf_token"]}
    assert grace.patch("/api/v1/users/me", json=me, headers=token).status_code == 200
    open_menu(page, "grace@example.com")
    page.locator("details[open] [data-testid=confirm-email]").click()
    expect(page.get_by_role("dialog")).to_contain_text("hopper@example.com")
    page.get_by_test_id("confirm").click()
    expect(page.locator("tr", has_text="hopper@example.com")).to_be_visible()
    assert grace.get("/api/v1/users/me").json()["email"] == "hopper@example.com"


def test_a_link_to_a_new_password(page: Page, web: WebServer, grace: httpx.Client, browser: Browser) -> None:
    open_menu(page, "root@example.com")
    expect(page.locator("details[open] [data-testid=change-user]")).to_be_visible()
    expect(page.locator("details[open] [data-testid=reset-link]")).to_have_count(0)
    open_menu(page, "grace@example.com")
    page.locator("details[open] [data-testid=reset-link]").click()
    expect(page.get_by_test_id("reset-url")).to_contain_text("/auth/reset?token=")
    link = page.get_by_test_id("reset-url").inner_text()
    context = browser.new_context(base_url=web.url)
    other = context.new_page()
    other.goto("/auth/reset?" + link.partition("?")[2])
    other.get_by_label("New password").fill("another good password")
    with other.expect_navigation():
        other.get_by_role("button").first.click()
    other.goto("/auth/signin")
    other.get_by_test_id("field-email").fill("grace@example.com")
    other.get_by_test_id("field-password").fill("another good password")
    other.get_by_test_id("signin").click()
    expect(other).to_have_url(re.compile("/dashboard$"))
    context.close()
    assert grace.get("/api/v1/auth/session").status_code == 401


def test_acting_as_somebody_says_so_and_ends(page: Page, grace: httpx.Client) -> None:
    open_menu(page, "grace@example.com")
    page.locator("details[open] [data-testid=impersonate]").click()
    page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("impersonation")).to_contain_text("root@example.com acts as Grace")
    expect(page.get_by_test_id("account-name")).to_have_text("Grace")
    page.goto("/settings/security")
    expect(page.get_by_test_id("impersonation")).to_be_visible()
    shown = page.get_by_test_id("impersonation")
    shapes = (shown, shown.locator("> div"), page.get_by_test_id("end-impersonation"), page.locator("h1"))
    notice, text, button, heading = (shape.bounding_box() or {} for shape in shapes)
    assert heading["y"] - (notice["y"] + notice["height"]) > 10
    assert button["x"] == text["x"]
    page.get_by_test_id("end-impersonation").click()
    expect(page).to_have_url(re.compile("tab=users"))
    expect(page.get_by_test_id("impersonation")).to_have_count(0)


def test_the_way_back_is_not_lost_to_the_end_of_the_other_session(
    page: Page, grace: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, answered, real = threading.Event(), threading.Event(), impersonation.end

    def slow(*arguments: Any) -> NewSession:
        begun = real(*arguments)
        ended.set()
        assert answered.wait(20)
        return begun

    monkeypatch.setattr(impersonation, "end", slow)
    open_menu(page, "grace@example.com")
    page.locator("details[open] [data-testid=impersonate]").click()
    page.get_by_test_id("confirm").click()
    expect(page).to_have_url(re.compile("/dashboard$"))
    page.goto("/settings/security")
    with page.expect_response("**/auth/signin**"):
        page.get_by_test_id("end-impersonation").click()
        assert ended.wait(20)
        page.evaluate("document.body.dispatchEvent(new Event('stellar:tick'))")
    answered.set()
    expect(page).to_have_url(re.compile("tab=users"))


def test_the_audit_log_is_filtered_and_exported(page: Page, root: httpx.Client, grace: httpx.Client) -> None:
    assert root.post("/api/v1/admin/users", json={"email": "new@example.com", "password": PASSWORD}).status_code == 201
    page.goto("/admin?tab=audit")
    page.get_by_test_id("field-actor").fill("root@example.com")
    page.get_by_test_id("field-action").fill("user.*")
    page.get_by_test_id("filter").click()
    rows = page.get_by_test_id("audit").locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("new@example.com")
    with page.expect_download() as download:
        page.get_by_test_id("export-csv").click()
    lines = Path(download.value.path()).read_text("utf-8").splitlines()
    assert len(lines) == 2
    assert "user.create" in lines[1]
    page.get_by_test_id("field-until").fill("2020-01-01")
    page.get_by_test_id("filter").click()
    expect(page.get_by_text("Nothing like that")).to_be_visible()
    assert root.get("/admin?tab=audit&since=yesterday").status_code == 422


def test_tabs_are_those_of_ones_role(page: Page, web: WebServer, browser: Browser) -> None:
    users.create("support@example.com", PASSWORD, "Support", "support")
    disconnect()
    with web.signed_in("support@example.com") as client, context_of(browser, client) as context:
        other = context.new_page()
        other.goto("/admin?tab=users")
        shown = [text.strip() for text in other.locator("nav[aria-label=Admin] a").all_inner_texts()]
        assert shown == ["Overview", "Users", "Roles", "Jobs", "Audit log", "Plugins"]
        expect(other.get_by_test_id("new-user")).to_have_count(0)
        expect(other.get_by_test_id("user-menu")).to_have_count(0)
        assert other.goto("/admin?tab=settings").status == 403  # type: ignore[union-attr]
