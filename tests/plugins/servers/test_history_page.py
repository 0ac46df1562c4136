"""The charts of a server's page in a real Chromium, over a real agent."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_parts import chromium, complaints, context_of
from playwright.sync_api import Browser, Page, expect
from product import GameServer
from whole_panel import Site, installation_on

from stellar.plugins.servers.agent.history import FIELDS, write

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

CHARTS = ("cpu", "memory", "disk", "network", "io", "players")
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """What is drawn doesn't depend on the database."""
    with installation_on("sqlite", request, tmp_path_factory.mktemp("whole")) as site:
        yield site


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    with context_of(browser, site.admin) as context:
        yield context.new_page()


def remember(site: Site, server: GameServer, age: float, **values: float) -> None:
    """Have the node know figures of so many seconds ago."""
    path: Path = site.node.files(server.id) / "history"
    write(path, time.time() - age, [values.get(name, math.nan) for name in FIELDS])


def ink(page: Page, chart: str) -> int:
    """How many points of a chart are drawn on."""
    script = """canvas => {
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.filter((value, index) => index % 4 === 3 && value > 0).length;
    }"""
    drawn: int = page.get_by_test_id(f"chart-{chart}").locator("canvas").evaluate(script)
    return drawn


def test_what_a_server_has_used_is_drawn_and_said(page: Page, site: Site) -> None:
    server = site.offline()
    for age in range(900, 2700, 10):
        cpu = 40.0 + 30.0 * math.sin(age / 300)
        remember(site, server, age, cpu_percent=cpu, memory_bytes=300.0 * MEBIBYTE, players=age // 900)
    found = complaints(page)
    page.goto(f"/servers/{server.id}")
    cpu = page.get_by_test_id("chart-cpu")
    expect(cpu.get_by_role("img")).to_have_attribute("aria-label", beginning("CPU in the last hour: peak 70 %, mean "))
    expect(cpu).to_contain_text("peak 70 %")
    expect(page.get_by_test_id("chart-memory")).to_contain_text("peak 300 MiB")
    expect(page.get_by_test_id("chart-players")).to_contain_text("peak 2")
    assert ink(page, "cpu") > 1000
    expect(page.get_by_test_id("chart-network")).to_contain_text("Nothing was measured in the last hour.")
    expect(page.get_by_test_id("chart-network").get_by_role("img")).to_have_count(0)
    page.get_by_role("button", name="Month").click()
    expect(cpu.get_by_role("img")).to_have_attribute("aria-label", beginning("CPU in the last month: "))
    expect(page.get_by_role("button", name="Month")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Hour")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Day").click()
    expect(cpu.get_by_role("img")).to_have_attribute("aria-label", beginning("CPU in the last day: "))
    assert found == []


def test_charts_go_on_by_themselves_and_say_what_cannot_be_known(page: Page, site: Site) -> None:
    server = site.running()
    page.goto(f"/servers/{server.id}")
    network = page.get_by_test_id("chart-network")
    expect(network).to_contain_text("share the machine's network")
    expect(page.get_by_test_id("chart-players")).to_contain_text("Nobody knows how to ask")
    expect(page.get_by_test_id("chart-memory")).to_contain_text("now ", timeout=40_000)
    expect(page.get_by_test_id("chart-io")).to_contain_text("written now ", timeout=40_000)


def test_colours_follow_the_scheme_and_the_pointer_reads_values(page: Page, site: Site) -> None:
    server = site.offline()
    for age in range(0, 3600, 10):
        remember(site, server, age, cpu_percent=42.0)
    page.emulate_media(color_scheme="light")
    page.goto(f"/servers/{server.id}")
    chart = page.get_by_test_id("chart-cpu")
    expect(chart).to_contain_text("peak 42 %")
    before = chart.locator("canvas").evaluate("canvas => canvas.toDataURL()")
    page.locator("[data-scheme-toggle]").first.click()
    page.wait_for_function(
        "before => document.querySelector('[data-chart=cpu] canvas').toDataURL() !== before", arg=before
    )
    chart.locator(".u-over").hover()
    expect(chart.locator("[data-figures]")).not_to_contain_text("peak")
    expect(chart.locator("[data-figures]")).to_contain_text("42 %")
    page.locator("h1").hover()
    expect(chart.locator("[data-figures]")).to_contain_text("peak 42 %")


def test_charts_fit_a_phone(browser: Browser, site: Site) -> None:
    server = site.offline()
    remember(site, server, 60, cpu_percent=5.0, memory_bytes=1.0, disk_bytes=1.0, players=0.0)
    with context_of(browser, site.admin, viewport={"width": 390, "height": 844}) as context:
        page = context.new_page()
        page.goto(f"/servers/{server.id}")
        expect(page.get_by_test_id("chart-cpu").locator("canvas")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_charts_begin_when_a_new_server_is_on_its_node(page: Page, site: Site) -> None:
    found = complaints(page)
    site.worker.pause()
    try:
        server = site.create()
        page.goto(f"/servers/{server.id}")
        problem = page.locator("[data-problem]")
        expect(problem).to_have_text("There will be figures once it is installed.")
    finally:
        site.worker.resume()
    expect(page.get_by_test_id("chart-cpu")).to_contain_text("Nothing was measured", timeout=20_000)
    expect(problem).to_be_empty()
    assert found == []


def test_a_node_that_is_away_is_said(page: Page, site: Site) -> None:
    server = site.offline()
    site.node.process.pause()
    try:
        page.goto(f"/servers/{server.id}")
        expect(page.locator("[data-problem]")).not_to_be_empty(timeout=40_000)
    finally:
        site.node.process.resume()


def beginning(text: str) -> re.Pattern[str]:
    """A text that begins so."""
    return re.compile(f"^{re.escape(text)}")
