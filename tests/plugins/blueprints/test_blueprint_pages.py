"""The administrators' pages of blueprints, in a real Chromium."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browser_parts import chromium, complaints, context_of
from egg_parts import egg, variable
from full_panel import full_panel
from playwright.sync_api import Browser, Page, expect
from source_parts import Source
from web_parts import WebServer

pytestmark = pytest.mark.browser
HTML = "<img src=x onerror=\"document.title='bad'\">"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def panel(tmp_path: Path, redis_url: str) -> Iterator[WebServer]:
    with full_panel(tmp_path / "data", redis_url, blueprints={"private_addresses": True}) as server:
        yield server


@pytest.fixture
def admin(panel: WebServer) -> Iterator[httpx.Client]:
    with panel.signed_in("root@example.com", "admin") as client:
        yield client


@pytest.fixture
def page(browser: Browser, admin: httpx.Client) -> Iterator[Page]:
    with context_of(browser, admin) as context:
        yield context.new_page()


@pytest.fixture
def source() -> Iterator[Source]:
    with Source().running() as found:
        yield found


def test_an_egg_of_html_comes_in_and_goes(page: Page, tmp_path: Path) -> None:
    found = complaints(page)
    table = egg(
        name=HTML,
        description=HTML,
        author=HTML,
        startup=f"run {HTML}",
        docker_images={HTML: "debian:12"},
        variables=[variable("HOSTNAME", name=HTML, default_value=HTML), variable("B", rules=[HTML])],
    )
    path = tmp_path / "egg.json"
    path.write_text(json.dumps(table))
    page.goto("/blueprints")
    expect(page.get_by_test_id("blueprints")).to_contain_text("Luanti")
    page.get_by_test_id("import-blueprint").click()
    page.get_by_test_id("field-file").set_input_files(path)
    with page.expect_navigation():
        page.get_by_test_id("do-import").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HTML)
    expect(page.get_by_test_id("report")).to_contain_text("variables.HOSTNAME is called SERVER_HOSTNAME")
    expect(page.get_by_test_id("images")).to_contain_text("debian:12")
    expect(page.get_by_test_id("variables")).to_contain_text("SERVER_HOSTNAME")
    expect(page.get_by_test_id("command")).to_have_text(f"run {HTML}")
    assert page.locator("img[src=x]").count() == 0
    with page.expect_download() as download:
        page.get_by_test_id("export-ptdl").click()
    assert json.loads(download.value.path().read_text())["meta"]["version"] == "PTDL_v2"
    page.get_by_test_id("delete-blueprint").click()
    with page.expect_navigation():
        page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("blueprints")).not_to_contain_text(HTML)
    assert found == []


def test_a_long_file_name_fits_a_phone(page: Page, admin: httpx.Client) -> None:
    name = "ShooterGame/Saved/Config/WindowsServer/GameUserSettings.ini"
    patch = {name: {"parser": "file", "find": {"MaxPlayers=": "MaxPlayers=20"}}}
    table = egg(config={**egg()["config"], "files": json.dumps(patch)})
    assert admin.post("/api/v1/blueprints/import", json={"text": json.dumps(table)}).status_code == 201
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/blueprints/some-game")
    expect(page.get_by_text(name)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_paste_address_and_update(page: Page, source: Source) -> None:
    meta = {"version": "PTDL_v2", "update_url": f"{source.url}/egg.json"}
    source.answers["/egg.json"] = (200, {}, json.dumps(egg(meta=meta)).encode())
    page.goto("/blueprints")
    page.get_by_test_id("import-blueprint").click()
    page.get_by_test_id("field-text").fill("{")
    page.get_by_test_id("do-import").click()
    expect(page.get_by_test_id("form-error")).to_contain_text("not valid JSON")
    page.get_by_test_id("field-url").fill(f"{source.url}/egg.json")
    with page.expect_navigation():
        page.get_by_test_id("do-import").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Some Game")
    lines = [f"line {number}" for number in range(20)]
    install = {"installation": {"script": "\n".join(lines), "container": "alpine", "entrypoint": "sh"}}
    source.answers["/egg.json"] = (200, {}, json.dumps(egg(meta=meta, scripts=install)).encode())
    page.get_by_test_id("update-blueprint").click()
    with page.expect_navigation():
        page.get_by_test_id("apply-update").click()
    lines[9:11] = [f"changed {HTML}"]
    install["installation"]["script"] = "\n".join([*lines, "added"])
    newer = egg(meta=meta, startup=f"newer {HTML}", scripts=install)
    source.answers["/egg.json"] = (200, {}, json.dumps(newer).encode())
    page.get_by_test_id("update-blueprint").click()
    script = page.get_by_test_id("update-changes").locator("pre").filter(has_text="line 9")
    expect(script.locator("del")).to_have_text(["- line 9", "- line 10"])
    expect(script.locator("ins")).to_have_text([f"+ changed {HTML}", "+ added"])
    assert "line 8" in script.inner_text() and "line 5" not in script.inner_text()
    expect(page.get_by_test_id("update-changes")).to_contain_text("startup.command")
    expect(page.get_by_test_id("update-changes")).to_contain_text(f"newer {HTML}")
    with page.expect_navigation():
        page.get_by_test_id("apply-update").click()
    expect(page.get_by_test_id("command")).to_have_text(f"newer {HTML}")
