"""The example plugin, installed with pip, adds to a running panel through every hook."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from full_panel import full_panel
from link_parts import dial, greet, new_node, receive, send
from web_parts import WebServer

from stellar import jobs
from stellar.bus import names, sync
from stellar.plugins.nodes.protocol import Ack, Report
from stellar.testing.waiting import wait_until

SOURCE = Path(__file__).with_name("example_plugin")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the plugin's distribution in it."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", target, SOURCE], check=True)
    return target


@pytest.fixture
def web(installed: Path, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    monkeypatch.syspath_prepend(str(installed))
    with full_panel(tmp_path, redis_url) as server:
        yield server
    for name in [name for name in sys.modules if name.startswith("stellar_example")]:
        del sys.modules[name]


@pytest.fixture
def admin(web: WebServer) -> Iterator[httpx.Client]:
    with web.signed_in("admin@example.com", "admin") as client:
        yield client


def heard() -> list[object]:
    found: list[object] = importlib.import_module("stellar_example.events").HEARD
    return found


def run(installed: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": str(installed), **environment}
    command = [sys.executable, "-m", "stellar", *arguments]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, cwd=installed)


def test_it_is_listed_and_brings_its_command(installed: Path, tmp_path: Path) -> None:
    listed = json.loads(run(installed, "plugin", "list", "--json", "--data", str(tmp_path)).stdout)
    example = next(plugin for plugin in listed if plugin["name"] == "example")
    assert example["active"] and example["version"] == "1.2.3" and "stellar-example" in example["source"]
    assert run(installed, "example", "Ada", STELLAR_DATA=str(tmp_path)).stdout == "Hello, Ada!\n"
    assert "example" in run(installed, "--help", STELLAR_DATA=str(tmp_path)).stdout


def test_safe_mode_leaves_it_out(installed: Path, tmp_path: Path) -> None:
    result = run(installed, "plugin", "list", "--data", str(tmp_path), STELLAR_SAFE_MODE="1")
    assert "nodes" in result.stdout and "example" not in result.stdout


def test_its_section_is_part_of_the_configuration(installed: Path, tmp_path: Path) -> None:
    shown = run(installed, "config", "--json", "--data", str(tmp_path), STELLAR_EXAMPLE_GREETING="Moin")
    assert json.loads(shown.stdout)["example"] == {"greeting": "Moin"}


def test_its_routes_tables_permissions_and_audit_work(web: WebServer, admin: httpx.Client) -> None:
    with web.client() as nobody:
        assert nobody.get("/api/v1/x/example/greetings").status_code == 401
    made = admin.post("/api/v1/x/example/greetings", json={"name": "Grace"})
    assert (made.status_code, made.json()) == (201, {"text": "Hello, Grace!"})
    assert admin.get("/api/v1/x/example/greetings").json() == ["Grace"]
    assert "/api/v1/x/example/greetings" in admin.get("/api/v1/openapi.json").json()["paths"]


def test_its_page_menu_slot_variable_and_style_are_there(admin: httpx.Client) -> None:
    page = admin.get("/x/example/")
    assert page.status_code == 200 and "Hello, Admin!" in page.text
    assert 'href="/x/example/"' in page.text and "example/example.css" in page.text
    assert "Hello from the example plugin." in admin.get("/dashboard").text


def test_it_hears_events_and_the_life_of_the_process(web: WebServer) -> None:
    assert "startup web" in heard()
    sync.publish(names.EVENTS_GLOBAL, {"kind": "test", "id": "7"})
    wait_until(lambda: {"kind": "test", "id": "7"} in heard(), what="the message")


def test_it_authenticates_and_denies(web: WebServer) -> None:
    secret = {"X-Example-Secret": "an example, not a secret"}
    with web.client(headers=secret) as system:
        assert system.get("/api/v1/x/example/greetings").status_code == 200
    with web.client(headers={"X-Example-Secret": "wrong"}) as stranger:
        assert stranger.get("/api/v1/x/example/greetings").status_code == 401
    with web.signed_in("nobody@example.com") as denied:
        denied.patch("/api/v1/users/me", json={"name": "Nobody at all"})
        assert denied.get("/api/v1/x/example/greetings").status_code == 403


def test_it_applies_what_nodes_report(web: WebServer, admin: httpx.Client) -> None:
    _, key = new_node(admin, "attic")
    with dial(web.url, key) as socket:
        greet(socket)
        send(socket, Report("box:1", "example.greeted", None, {"name": "Node"}))
        assert receive(socket) == Ack("box:1")
    assert admin.get("/api/v1/x/example/greetings").json() == ["Node"]


def test_its_job_setting_and_health_check_are_known(web: WebServer, admin: httpx.Client) -> None:
    assert jobs.find("example.greet").target == "stellar_example.jobs:greet"
    assert any(setting.key == "example.shout" for setting in web.panel.registry.settings)
    assert "greetings" in admin.get("/api/v1/admin/health").text
