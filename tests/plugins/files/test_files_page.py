"""The page of files in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_parts import chromium, complaints, context_of
from file_parts import Site
from playwright.sync_api import Browser, Locator, Page, expect

from stellar.db import disconnect
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.blueprints.service import sync_builtin
from stellar.testing.waiting import wait_until

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """Ada's browser at her server's files: a folder and two files."""
    Blueprint.update(builtin=True).execute()
    sync_builtin()
    disconnect()
    (site.data / "world").mkdir()
    (site.data / "world/map.txt").write_text("here be dragons\n")
    (site.data / "server.properties").write_text("motd=hello\n")
    (site.data / "<b>odd & name.txt").write_text("odd")
    with context_of(browser, site.ada, viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.goto(f"/servers/{site.server_id}/files")
        expect(row(page, "server.properties")).to_be_visible()
        yield page


def row(page: Page, name: str) -> Locator:
    return page.locator(f'[data-testid=file][data-name="{name}"]')


def answer(page: Page, text: str) -> None:
    """Fill in the dialog that asks for a name."""
    page.get_by_test_id("prompt").fill(text)
    page.get_by_test_id("confirm").click()


def test_folders_names_and_the_way_back(page: Page) -> None:
    expect(row(page, "<b>odd & name.txt")).to_be_visible()
    page.get_by_role("button", name="world", exact=True).click()
    expect(row(page, "map.txt")).to_be_visible()
    expect(page.get_by_test_id("crumbs")).to_contain_text("world")
    assert page.url.endswith("?path=world")
    page.go_back()
    expect(row(page, "server.properties")).to_be_visible()
    page.go_forward()
    expect(row(page, "map.txt")).to_be_visible()
    page.reload()
    expect(row(page, "map.txt")).to_be_visible()


def test_editing_saves_and_guards_what_is_not_saved(page: Page, site: Site) -> None:
    found = complaints(page)
    page.get_by_role("button", name="server.properties", exact=True).click()
    page.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("max=5")
    page.keyboard.press("Control+s")
    expect(page.get_by_test_id("toast")).to_have_text("Saved.")
    assert (site.data / "server.properties").read_text() == "motd=hello\nmax=5"
    page.keyboard.type("0")
    page.get_by_test_id("editor-close").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_test_id("editor")).to_be_visible()
    page.get_by_test_id("editor-close").click()
    page.get_by_test_id("confirm").click()
    expect(row(page, "server.properties")).to_be_visible()
    assert (site.data / "server.properties").read_text() == "motd=hello\nmax=5"
    assert found == [], "the editor's styles are within the policy"


def test_making_renaming_and_deleting(page: Page, site: Site) -> None:
    page.get_by_test_id("new-folder").click()
    answer(page, "mods")
    expect(row(page, "mods")).to_be_visible()
    page.get_by_role("button", name="Rename mods").click()
    answer(page, "plugins")
    expect(row(page, "plugins")).to_be_visible()
    assert (site.data / "plugins").is_dir() and not (site.data / "mods").exists()
    page.get_by_role("button", name="Delete plugins").click()
    page.get_by_test_id("confirm").click()
    expect(row(page, "plugins")).to_have_count(0)
    page.get_by_test_id("new-file").click()
    answer(page, "notes.txt")
    page.locator(".cm-content").click()
    page.keyboard.type("remember the milk")
    page.get_by_test_id("editor-save").click()
    wait_until((site.data / "notes.txt").exists, what="the new file")
    page.get_by_test_id("editor-close").click()
    expect(row(page, "notes.txt")).to_be_visible()


def test_a_name_that_leads_out_is_refused(page: Page, site: Site) -> None:
    page.get_by_test_id("new-folder").click()
    answer(page, "../outside")
    expect(page.get_by_test_id("toast")).to_be_visible()
    assert not (site.data.parent / "outside").exists()


def test_uploading_and_downloading(page: Page, site: Site, tmp_path: Path) -> None:
    small, large = tmp_path / "ü.bin", tmp_path / "large.bin"
    small.write_bytes(bytes(range(256)))
    large.write_bytes(b"x" * (3 * 1024 * 1024))
    page.get_by_test_id("upload").set_input_files([small, large])
    expect(page.get_by_test_id("toast")).to_contain_text("large.bin: A file may have at most 2 MB")
    expect(row(page, "ü.bin")).to_be_visible()
    assert (site.data / "ü.bin").read_bytes() == bytes(range(256))
    assert not (site.data / "large.bin").exists()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Download ü.bin")).click()
    assert download.value.path().read_bytes() == bytes(range(256))
