"""A game's question and its crashes on the server's pages, in a real Chromium, with a real node."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser_parts import chromium, complaints, context_of
from playwright.sync_api import Browser, Page, expect
from product import GameServer
from whole_panel import Site, installation_on

from stellar.plugins.servers.models import OpenPrompt, Server
from stellar.testing.waiting import wait_until

pytestmark = pytest.mark.browser

REFRESHED = """() => new Promise((done) => {
  document.body.addEventListener("htmx:after:swap", (event) => event.target.closest(".prompts") && done());
  document.body.dispatchEvent(new Event("stellar:tick"));
})"""


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with installation_on("sqlite", request, tmp_path_factory.mktemp("pages")) as site:
        yield site
        site.clean_up()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(site: Site, browser: Browser) -> Iterator[Page]:
    with context_of(browser, site.admin) as context:
        yield context.new_page()


def test_a_question_appears_by_itself_and_is_answered_with_one_click(site: Site, page: Page) -> None:
    server = site.offline("licensed")
    found = complaints(page)
    page.goto(f"/servers/{server.id}/console")
    prompt = page.get_by_test_id("prompt-eula")
    expect(prompt).to_have_count(0)
    page.get_by_test_id("power-start").click()
    expect(prompt).to_contain_text("You need to agree to the EULA in order to run the server")
    page.get_by_test_id("accept-eula").click()
    expect(page.get_by_test_id("server-state")).to_have_text("Running")
    expect(prompt).to_have_count(0)
    assert site.admin.post(f"{server.path}/command", json={"command": "threads"}).is_success
    page.goto(f"/servers/{server.id}")
    other = page.get_by_test_id("prompt-pid_limit")
    expect(other).to_be_visible()
    expect(page.get_by_test_id("accept-pid_limit")).to_have_count(0)
    page.get_by_test_id("dismiss-pid_limit").click()
    expect(other).to_have_count(0)
    assert found == []


def test_a_token_is_entered_in_the_banner_and_the_game_starts_again(site: Site, page: Page) -> None:
    server = site.offline("particular")
    found = complaints(page)
    page.goto(f"/servers/{server.id}")
    page.get_by_test_id("power-start").click()
    banner = page.get_by_test_id("prompt-gsl_token")
    field = banner.get_by_label("Game server login token")
    field.fill("no; token")
    page.evaluate(REFRESHED)
    expect(field).to_have_value("no; token")
    banner.get_by_role("button", name="Save and start again").click()
    expect(banner.locator("[data-error=answer]")).to_contain_text("Game server login token")
    field.fill("good-token")
    banner.get_by_role("button", name="Save and start again").click()
    expect(page.get_by_test_id("server-state")).to_have_text("Running")
    expect(banner).to_have_count(0)
    refused = "the server responded with a status of 422"
    assert [line for line in found if refused not in line] == []


def test_another_image_is_one_click(site: Site, page: Page) -> None:
    server = site.offline("particular")
    OpenPrompt.create(server=server.id, name="java_version", at=0.0, line="UnsupportedClassVersionError")
    Server.update(runtime="docker").where(Server.id == server.id).execute()
    page.goto(f"/servers/{server.id}")
    answers = page.get_by_test_id("answer-java_version")
    expect(answers).to_have_text(["Start with Java 17", "Start with Java 8"])
    with page.expect_request("**/prompts/java_version") as request:
        answers.first.click()
    assert request.value.method == "PUT"
    assert request.value.post_data_json == {"answer": "example.com/java:17"}
    wait_until(lambda: Server.get_by_id(server.id).image == "example.com/java:17", what="the image being kept")


def test_a_crash_shows_with_its_last_lines(site: Site, page: Page) -> None:
    server = site.offline("licensed")
    (site.node.files(server.id) / "data" / "eula.txt").write_text("eula=true\n")
    found = complaints(page)
    page.goto(f"/servers/{server.id}")
    page.get_by_test_id("power-start").click()
    expect(page.get_by_test_id("server-state")).to_have_text("Running")
    expect(page.get_by_test_id("crash")).to_have_count(0)
    for command in (*["threads"] * 40, "crash"):
        assert site.admin.post(f"{server.path}/command", json={"command": command}).is_success
    crash = page.get_by_test_id("crash")
    expect(crash).to_contain_text("It ended with exit code 3.")
    expect(crash.locator("pre")).to_be_hidden()
    crash.locator("summary").click()
    expect(crash.locator("pre")).to_contain_text("Exception in thread <main>")
    below = "log => log.scrollHeight - log.clientHeight - log.scrollTop"
    wait_until(lambda: crash.locator("pre").evaluate(below) < 2, what="the end of the log coming to sight")
    assert crash.locator("pre").evaluate("log => log.scrollTop") > 0
    expect(page.get_by_test_id("server-state")).to_have_text("Running", timeout=20_000)
    expect(crash.locator("pre")).to_be_visible()
    assert found == []


def test_autostart_is_set_on_the_settings_page(site: Site, page: Page) -> None:
    server: GameServer = site.offline()
    page.goto(f"/servers/{server.id}/settings")
    expect(page.get_by_test_id("autostart")).to_be_checked()
    page.get_by_test_id("autostart").uncheck()
    page.get_by_test_id("save-autostart").click()
    wait_until(lambda: site.admin.get(server.path).json()["autostart"] is False, what="the setting being kept")
    page.reload()
    expect(page.get_by_test_id("autostart")).not_to_be_checked()
