"""The pages of a node and of locations in a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browser_parts import chromium, complaints, context_of
from full_panel import full_panel
from playwright.sync_api import Browser, Page, expect
from web_parts import WebServer

from stellar.plugins.nodes.models import Node

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def panel(tmp_path: Path, redis_url: str) -> Iterator[WebServer]:
    with full_panel(tmp_path / "data", redis_url) as server:
        yield server


@pytest.fixture
def admin(panel: WebServer) -> Iterator[httpx.Client]:
    """An administrator's session."""
    with panel.signed_in("root@example.com", "admin") as client:
        yield client


@pytest.fixture
def page(browser: Browser, admin: httpx.Client) -> Iterator[Page]:
    """A tab of the administrator's browser."""
    with context_of(browser, admin) as context:
        yield context.new_page()


def test_a_node_is_changed_and_put_into_a_location(page: Page, admin: httpx.Client) -> None:
    found = complaints(page)
    node = admin.post("/api/v1/nodes", json={"name": "attic", "port_start": 30000, "port_end": 30009}).json()["node"]
    page.goto("/nodes/locations")
    page.get_by_test_id("new-location").click()
    page.locator("#new-location").get_by_test_id("location-name").fill("Berlin")
    with page.expect_navigation():
        page.locator("#new-location").get_by_test_id("save-location").click()
    page.get_by_test_id("change-location").click()
    page.locator("#change-location").get_by_test_id("location-description").fill("Left cupboard")
    with page.expect_navigation():
        page.locator("#change-location").get_by_test_id("save-location").click()
    expect(page.get_by_test_id("locations")).to_contain_text("Left cupboard")
    page.goto("/nodes")
    page.get_by_role("link", name="attic").click()
    page.get_by_test_id("field-location").select_option(label="Berlin")
    page.get_by_test_id("port-ranges").fill("30000-30009\n40000\n")
    with page.expect_navigation():
        page.get_by_test_id("save-node").click()
    changed = admin.get(f"/api/v1/nodes/{node['id']}").json()
    assert changed["location"]["name"] == "Berlin"
    assert changed["port_ranges"] == [{"first": 30000, "last": 30009}, {"first": 40000, "last": 40000}]
    expect(page.get_by_test_id("ports-free")).to_contain_text("11 of 11")
    page.goto("/nodes/locations")
    page.get_by_test_id("remove-location").click()
    page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("toast")).to_be_visible()
    assert [one for one in found if "409" not in one] == []


def test_a_port_is_reserved_and_released(page: Page, admin: httpx.Client) -> None:
    node = admin.post("/api/v1/nodes", json={"name": "attic", "port_start": 30000, "port_end": 30009}).json()["node"]
    page.goto(f"/nodes/{node['id']}")
    page.get_by_test_id("reserve-port").click()
    page.get_by_test_id("field-port").fill("29999")
    page.get_by_test_id("save-port").click()
    expect(page.locator("[data-error=port]")).to_contain_text("outside")
    page.get_by_test_id("field-port").fill("30005")
    with page.expect_navigation():
        page.get_by_test_id("save-port").click()
    expect(page.locator("[data-port='30005']")).to_contain_text("Reserved")
    with page.expect_navigation():
        page.get_by_test_id("release-port").click()
    expect(page.get_by_text("No port is in use")).to_be_visible()


def test_a_node_is_drained_and_its_key_rotated_only_while_it_is_online(page: Page, admin: httpx.Client) -> None:
    node = admin.post("/api/v1/nodes", json={"name": "attic"}).json()["node"]
    page.goto(f"/nodes/{node['id']}")
    page.get_by_label("Actions for attic").click()
    expect(page.get_by_test_id("rotate-key")).to_have_count(0)
    page.get_by_test_id("drain-node").click()
    page.get_by_test_id("confirm").click()
    expect(page.get_by_test_id("node-draining")).to_be_visible()
    page.get_by_label("Actions for attic").click()
    page.get_by_test_id("join-node").click()
    expect(page.get_by_test_id("join-command")).to_contain_text("--token join_")
    page.get_by_test_id("join-done").click()
    page.get_by_label("Actions for attic").click()
    page.get_by_test_id("remove-node").click()
    page.get_by_test_id("confirm").click()
    expect(page).to_have_url(re.compile("/nodes$"))
    assert admin.get(f"/api/v1/nodes/{node['id']}").status_code == 404


def test_protections_open_and_fit_a_phone(page: Page, admin: httpx.Client) -> None:
    node = admin.post("/api/v1/nodes", json={"name": "attic", "port_start": 30000, "port_end": 30009}).json()["node"]
    reason = "The file system takes none; mount it so: " + "/sys/block/vda/queue/scheduler" * 3
    protection = {"process": {"active": {"sandbox": True, "disk": False}, "reasons": {"disk": reason}}}
    Node.update(capabilities={"protection": protection}).where(Node.id == node["id"]).execute()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/nodes/{node['id']}")
    page.get_by_text("Protection: process").click()
    listed = page.get_by_test_id("protection")
    expect(listed).to_contain_text("mount it so")
    card = page.get_by_test_id("node").bounding_box()
    for item in listed.locator("li").all():
        box = item.bounding_box()
        assert card and box and box["x"] + box["width"] <= card["x"] + card["width"], "it stays within its card"
