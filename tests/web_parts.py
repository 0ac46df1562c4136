"""A real web process in a thread: uvicorn on a free port, SQLite, Valkey, and only the plugins that a test brings."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import httpx

from stellar.auth import users
from stellar.auth.permissions import Role
from stellar.config import Config, prepare_data
from stellar.db import disconnect
from stellar.extend import Manifest, manager
from stellar.extend.discovery import Candidate
from stellar.http.app import create_app
from stellar.http.serve import Server, listen, server_config
from stellar.panel import Panel
from stellar.testing.waiting import wait_until

PASSWORD = "correct horse battery"


class WebServer:
    """Runs between ``start`` and ``stop``."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._listener = listen(panel.config.web)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = Server(server_config(create_app(panel), panel.config.web))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._thread.start()
        wait_until(lambda: self._server.started or not self._thread.is_alive(), what="the web server")
        assert self._thread.is_alive()

    def stop(self) -> None:
        """Stop it as a signal would."""
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._listener.close()

    def client(self, **options: Any) -> httpx.Client:
        """A browser without a session."""
        return httpx.Client(base_url=self.url, trust_env=False, **options)

    @contextmanager
    def signed_in(self, email: str = "ada@example.com", role: Role = "user", **options: Any) -> Iterator[httpx.Client]:
        """A browser signed in as ``email`` (made if need be), which sends the CSRF token."""
        if users.by_email(email) is None:
            users.create(email, PASSWORD, email.split("@", maxsplit=1)[0].title(), role)
        with self.client(**options) as client:
            sign_in(client, email)
            yield client


def sign_in(client: httpx.Client, email: str, password: str = PASSWORD) -> dict[str, Any]:
    """Sign a browser in and let it send the CSRF token; returns the answer."""
    answer = client.post("/api/v1/auth/signin", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
    return cast("dict[str, Any]", answer.json())


def make_plugin(name: str, **hooks: Any) -> ModuleType:
    """A plugin module with these hooks."""
    module = ModuleType(f"test_plugin_{name}")
    module.__file__ = str(Path(__file__).with_name(f"plugin_{name}") / "__init__.py")
    manifest = Manifest(name=name, version="1.0")
    for key, value in {"manifest": manifest, **hooks}.items():
        setattr(module, key, value)
    return module


def make_panel(
    data: Path, redis_url: str, *plugins: ModuleType, builtin: bool = True, **sections: dict[str, Any]
) -> Panel:
    """A panel with just these plugins, its database open and up to date."""
    document: dict[str, Any] = {"web": {"port": 0}, "redis": {"url": redis_url}}
    for name, values in sections.items():
        document[name] = {**document.get(name, {}), **values}
    config = Config(data, document, {}, "the test's configuration")
    prepare_data(config)
    candidates = [Candidate(module.manifest.name, "test", builtin, _loader(module)) for module in plugins]
    with patch.object(manager, "find_plugins", lambda data, *, safe: iter(candidates)):
        loaded = manager.PluginManager(data)
    loaded.stage(["register_config", "register_permissions", "register_settings", "register_routes", "register_pages"])
    for section in loaded.registry.sections:
        config.register(section.name, section.type)
    panel = Panel(config, loaded, "web")
    panel.open()
    panel.migrate()
    return panel


@contextmanager
def running(panel: Panel) -> Iterator[WebServer]:
    """A web server for the time of a with-block."""
    server = WebServer(panel)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        disconnect()


def _loader(module: ModuleType) -> Any:
    return lambda: module


class Thing(SimpleNamespace):
    """A resource with an owner."""

    owner_id: str
