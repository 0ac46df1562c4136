"""The main job in a real Chromium: from the printed link to a running game, its console and its files."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_parts import chromium, complaints, context_of
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from product import EMAIL, PASSWORD, GameServer, Product

from stellar.testing.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

DESKTOP = {"width": 1440, "height": 1100}
PHONE = {"width": 390, "height": 844}
ROWS = "() => [...document.querySelectorAll('.xterm-rows > div')].map(row => row.textContent.trimEnd())"
SLOW_COUNTER = "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.3; done"
"""So slow that everything from before a restart of the web process is still on the screen after it."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def panel(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A running product with an account, shared by the tests of this module."""
    made = Product(command, tmp_path_factory.mktemp("road") / "data")
    try:
        made.start()
        made.admin().close()
        yield made
    finally:
        made.clean_up()


@pytest.fixture(scope="module")
def luanti(panel: Product) -> GameServer:
    """A running Luanti server."""
    server = GameServer(panel.admin(), "luanti")
    server.wait("offline", 30)
    server.power("start")
    server.wait("running", 40)
    return server


@pytest.fixture
def context(browser: Browser, panel: Product) -> Iterator[BrowserContext]:
    """The owner's browser, signed in."""
    with context_of(browser, panel.admin(), viewport=DESKTOP) as made:
        yield made


def test_from_the_printed_link_to_a_running_game(browser: Browser, product: Product) -> None:
    context = browser.new_context(base_url=product.url, viewport=DESKTOP)
    context.set_default_timeout(15_000)
    page = context.new_page()
    found = complaints(page)

    visit(page, "/")
    visit(page, product.setup_url)
    page.get_by_test_id("field-name").fill("Ada")
    page.get_by_test_id("field-email").fill(EMAIL)
    page.get_by_test_id("field-password").fill(PASSWORD)
    page.get_by_test_id("setup").click()
    page.wait_for_url("**/dashboard")
    expect(page.get_by_test_id("account-name")).to_have_text("Ada")

    page.get_by_test_id("dashboard-new-server").click()
    page.wait_for_url("**/servers/new")
    page.get_by_test_id("blueprint-luanti").click()
    page.get_by_test_id("field-name").fill("Friday night")
    page.locator("#variable-luanti-MOTD").fill("Welcome to Friday night")
    page.get_by_test_id("create-server").click()
    page.wait_for_url(re.compile("/servers/[0-9a-f-]{36}$"))
    expect(page.get_by_test_id("server-name")).to_have_text("Friday night")
    state = page.get_by_test_id("server-state")
    expect(state).to_have_attribute("data-state", re.compile("installing|offline"))
    page.get_by_role("link", name="Console", exact=True).click()
    expect(page.get_by_test_id("console-link")).to_have_attribute("data-state", "live")
    shows(page, "The world's folder is ready.")
    expect(state).to_have_attribute("data-state", "offline", timeout=60_000)

    page.get_by_test_id("power-start").click()
    expect(state).to_have_attribute("data-state", "running", timeout=60_000)
    shows(page, "Time of day")
    page.get_by_test_id("console-input").fill("/status")
    page.get_by_test_id("console-input").press("Enter")
    shows(page, "# Server: version")
    expect(page.get_by_test_id("console-memory")).to_contain_text("MiB")
    page.reload()
    shows(page, "# Server: version")

    page.get_by_test_id("power-stop").click()
    expect(state).to_have_attribute("data-state", "offline", timeout=40_000)
    shows(page, "the game has stopped")
    server = page.url.split("/")[-2]
    answer = context.request.get(f"/api/v1/servers/{server}/files/content?path=minetest.conf")
    assert "motd=Welcome to Friday night\n" in answer.text()
    assert found == []
    context.close()


def test_the_form_for_a_new_server_waits_for_a_node(browser: Browser, product: Product) -> None:
    with context_of(browser, product.admin(), viewport=DESKTOP) as context:
        page = context.new_page()
        found = complaints(page)
        agent = product.child("agent")
        os.kill(agent, signal.SIGSTOP)
        try:
            visit(page, "/servers/new?blueprint=generic")
            expect(page.get_by_test_id("no-node-online")).to_be_visible()
        finally:
            os.kill(agent, signal.SIGCONT)
        expect(page.get_by_test_id("blueprint-generic").locator("input")).to_be_checked(timeout=20_000)
        page.get_by_test_id("blueprint-teeworlds").click()
        expect(page.locator("[data-variables-of=teeworlds]")).to_be_visible()
        expect(page.locator("[data-variables-of=generic]")).to_be_hidden()
        assert found == []


def test_every_key_goes_to_a_full_screen_program(context: BrowserContext, luanti: GameServer) -> None:
    page = console(context, luanti)
    shows(page, "Time of day")
    page.get_by_test_id("console-keys").click()
    page.keyboard.type("/no_such_commandx")
    shows(page, "/no_such_commandx")
    page.keyboard.press("Backspace")
    page.keyboard.press("Enter")
    wait_until(lambda: any(row.endswith("Invalid command: no_such_command") for row in rows(page)), 20, "the answer")
    page.keyboard.press("Control+Shift+K")
    expect(page.get_by_test_id("console-input")).to_be_focused()


def test_the_console_outlives_the_web_process(context: BrowserContext, panel: Product) -> None:
    server = GameServer(panel.admin(), "generic", variables={"START_COMMAND": SLOW_COUNTER})
    server.wait("offline")
    server.power("start")
    page = console(context, server)
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    wait_until(lambda: 3 in counted(page), 15, "the third line")
    before = counted(page)[-1]

    os.kill(panel.child("web"), signal.SIGKILL)
    expect(page.get_by_test_id("console-banner")).to_be_visible()
    expect(page.get_by_test_id("console-link")).to_have_attribute("data-state", "live", timeout=20_000)
    expect(page.get_by_test_id("console-banner")).to_be_hidden()
    back = counted(page)[-1]
    wait_until(lambda: counted(page)[-1] >= max(back, before + 5), 15, "further lines")

    numbers = counted(page)
    assert numbers[0] <= before, "the terminal is too small to tell"
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    expect(page.get_by_test_id("server-state")).to_have_attribute("data-state", "running")
    page.get_by_test_id("power-kill").click()
    page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("server-state")).to_have_attribute("data-state", "offline", timeout=20_000)
    assert thrown == []


def test_files_are_edited_uploaded_and_downloaded(context: BrowserContext, luanti: GameServer, tmp_path: Path) -> None:
    page = context.new_page()
    found = complaints(page)
    visit(page, f"/servers/{luanti.id}/files")
    file(page, "minetest.conf").get_by_role("button", name="minetest.conf", exact=True).click()
    text = page.locator(".cm-content")
    expect(text).to_contain_text("server_name=A Luanti server")
    text.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\n# written in the browser: äöü\n")
    page.get_by_test_id("editor-save").click()
    expect(page.get_by_test_id("toast")).to_have_text("Saved.")
    url = f"{luanti.path}/files/content"
    saved = luanti.client.get(url, params={"path": "minetest.conf"}).text
    assert "server_name=A Luanti server\n" in saved and saved.endswith("\n# written in the browser: äöü\n")
    page.get_by_test_id("editor-close").click()

    content = os.urandom(700_000)
    (tmp_path / "mod.bin").write_bytes(content)
    page.get_by_test_id("upload").set_input_files(tmp_path / "mod.bin")
    expect(file(page, "mod.bin")).to_be_visible()
    assert luanti.client.get(url, params={"path": "mod.bin"}).content == content
    with page.expect_download() as download:
        page.get_by_role("link", name="Download mod.bin").click()
    assert Path(download.value.path()).read_bytes() == content
    assert found == []


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_fits_and_nothing_is_refused(
    browser: Browser, panel: Product, luanti: GameServer, viewport: dict[str, int]
) -> None:
    guest = browser.new_context(base_url=panel.url, viewport=viewport)
    check(guest, "/", "/auth/signin")
    guest.close()
    with context_of(browser, panel.admin(), viewport=viewport) as context:
        server = f"/servers/{luanti.id}"
        check(context, "/dashboard", "/servers", "/servers/new", server, f"{server}/console", f"{server}/files")
        check(context, "/nodes", "/settings")
        check(
            context,
            *(f"/admin?tab={tab}" for tab in ("overview", "users", "roles", "jobs", "audit", "plugins", "settings")),
        )


def test_the_set_up_page_fits_a_phone(browser: Browser, product: Product) -> None:
    context = browser.new_context(base_url=product.url, viewport=PHONE)
    check(context, "/", product.setup_url)
    context.close()


def check(context: BrowserContext, *paths: str) -> None:
    """Each page shows, isn't wider than the screen, and has nothing to complain about."""
    page = context.new_page()
    found = complaints(page)
    for path in paths:
        visit(page, path)
        page.wait_for_load_state("networkidle")
        width, room = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width <= room, f"{path} is {width} px wide on a screen of {room}"
        assert found == [], path
    page.close()


def visit(page: Page, path: str) -> None:
    """Open a page that exists."""
    answer = page.goto(path)
    assert answer is not None and answer.status == 200, path
    expect(page.locator("h1")).to_be_visible()


def console(context: BrowserContext, server: GameServer) -> Page:
    """A server's console, live."""
    page = context.new_page()
    visit(page, f"/servers/{server.id}/console")
    expect(page.get_by_test_id("console-link")).to_have_attribute("data-state", "live")
    return page


def rows(page: Page) -> list[str]:
    """What the terminal shows, without empty lines."""
    shown: list[str] = page.evaluate(ROWS)
    return [row for row in shown if row]


def shows(page: Page, text: str) -> None:
    """Wait until the terminal shows a text."""
    try:
        wait_until(lambda: any(text in row for row in rows(page)), 20, f"{text!r} in the terminal")
    except AssertionError as error:
        error.add_note(f"The terminal shows {rows(page)}.")
        raise


def counted(page: Page) -> list[int]:
    """The numbers of the lines that the terminal shows; [0] without any."""
    return [int(row.split()[1]) for row in rows(page) if re.fullmatch(r"line \d+", row)] or [0]


def file(page: Page, name: str) -> Locator:
    """A file's row in the list."""
    return page.locator(f"[data-testid=file][data-name={name!r}]")
