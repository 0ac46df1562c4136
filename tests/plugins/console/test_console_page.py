"""The console's page in a real Chromium: nothing is lost or repeated, whatever happens to the connection."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from browser_parts import chromium, complaints, context_of
from console_parts import Site
from playwright.sync_api import Browser, BrowserContext, Page, WebSocketRoute, expect

from stellar.testing.waiting import wait_until

pytestmark = pytest.mark.browser

ROWS = """() => [...document.querySelectorAll('.xterm-rows > div')].map(row => row.textContent.trimEnd())"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    """Ada's browser."""
    with context_of(browser, site.ada, viewport={"width": 1280, "height": 900}) as made:
        yield made


@pytest.fixture
def page(context: BrowserContext, site: Site) -> Page:
    """The console, live."""
    page = context.new_page()
    page.goto(f"/servers/{site.server_id}/console")
    expect(page.get_by_test_id("console-link")).to_have_attribute("data-state", "live")
    return page


def lines(page: Page) -> list[str]:
    """What the terminal shows, without empty lines."""
    shown: list[str] = page.evaluate(ROWS)
    return [line for line in shown if line]


def shows(page: Page, text: str) -> None:
    wait_until(lambda: any(text in line for line in lines(page)), what=f"{text!r} on the screen")


def test_output_history_and_commands(page: Page, site: Site) -> None:
    found = complaints(page)
    site.node.print(b"\x1b[32mHello\x1b[0m from the game \xe2\x9c\x93\r\n")
    shows(page, "Hello from the game ✓")
    page.reload()
    shows(page, "Hello from the game ✓")
    field = page.get_by_test_id("console-input")
    for command in ("first", "second"):
        field.fill(command)
        field.press("Enter")
        expect(field).to_have_value("")
    wait_until(lambda: b"first\nsecond\n" in site.node.typed, what="the typed commands")
    field.fill("draft")
    for key, expected in (("ArrowUp", "second"), ("ArrowUp", "first"), ("ArrowUp", "first"), ("ArrowDown", "second")):
        field.press(key)
        expect(field).to_have_value(expected)
    field.press("ArrowDown")
    expect(field).to_have_value("draft")
    assert found == []


def test_keys_go_to_the_game_only_when_asked(page: Page, site: Site) -> None:
    page.locator(".xterm-screen").click()
    page.keyboard.type("x")
    page.get_by_test_id("console-keys").click()
    page.keyboard.type("q")
    page.keyboard.press("ArrowUp")
    wait_until(lambda: site.node.typed == b"q\x1b[A", what="the keys")
    page.keyboard.press("Control+Shift+K")
    expect(page.get_by_test_id("console-keys")).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_test_id("console-input")).to_be_focused()


class Wire:
    """The page's console socket on its way to the panel, which can be cut."""

    def __init__(self, page: Page) -> None:
        self.is_cut = False
        self.sent: list[str] = []
        self._open: list[WebSocketRoute] = []
        page.route_web_socket(re.compile("/console/socket"), self._connect)

    def cut(self) -> None:
        """Close what is open, and let nothing through until ``mend``."""
        self.is_cut = True
        while self._open:
            self._open.pop().close(code=1011, reason="cut")

    def mend(self) -> None:
        self.is_cut = False

    def _connect(self, socket: WebSocketRoute) -> None:
        if self.is_cut:
            socket.close(code=1011, reason="cut")
            return
        panel = socket.connect_to_server()
        self._open += [socket, panel]

        def forward(frame: str | bytes) -> None:
            self.sent.append(str(frame))
            panel.send(frame)

        socket.on_message(forward)


def test_what_was_printed_while_the_connection_was_away_comes_once(context: BrowserContext, site: Site) -> None:
    expected = [f"line {number}" for number in range(12)]
    page = context.new_page()
    wire = Wire(page)
    page.goto(f"/servers/{site.server_id}/console")
    site.node.print("".join(f"{line}\r\n" for line in expected[:4]).encode())
    shows(page, expected[3])
    wire.cut()
    expect(page.get_by_test_id("console-banner")).to_be_visible()
    site.node.print("".join(f"{line}\r\n" for line in expected[4:8]).encode())
    wire.mend()
    expect(page.get_by_test_id("console-link")).to_have_attribute("data-state", "live")
    expect(page.get_by_test_id("console-banner")).to_be_hidden()
    site.node.print("".join(f"{line}\r\n" for line in expected[8:]).encode())
    shows(page, expected[-1])
    assert [line for line in lines(page) if line.startswith("line ")] == expected


def test_the_token_is_renewed_on_the_open_socket(context: BrowserContext, site: Site) -> None:
    page = context.new_page()
    wire = Wire(page)
    page.goto(f"/servers/{site.server_id}/console")
    expect(page.get_by_test_id("console-link")).to_have_attribute("data-state", "live")
    wait_until(lambda: shows_auth(page, wire), what="a new token")


def shows_auth(page: Page, wire: Wire) -> bool:
    lines(page)
    return any('"type":"auth"' in frame for frame in wire.sent)


def test_a_stopped_game_is_told(page: Page, site: Site) -> None:
    site.node.exit(3)
    shows(page, "the game ended with exit code 3")
    field = page.get_by_test_id("console-input")
    field.fill("anybody there?")
    field.press("Enter")
    expect(page.get_by_test_id("console-problem")).to_contain_text("start")


def test_somebody_elses_console_is_not_shown(browser: Browser, site: Site) -> None:
    with (
        site.web.signed_in("grace@example.com") as grace,
        context_of(browser, grace) as context,
    ):
        page = context.new_page()
        answer = page.goto(f"/servers/{site.server_id}/console")
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_text("There is nothing here")).to_be_visible()
