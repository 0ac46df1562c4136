"""The whole panel with its built-in plugins, in this process: a web server in a thread, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from web_parts import WebServer, running

from stellar.config import Config, prepare_data
from stellar.panel import boot
from stellar.plugins.blueprints.service import sync_builtin


@contextmanager
def full_panel(data: Path, redis_url: str, database_url: str = "", **sections: dict[str, Any]) -> Iterator[WebServer]:
    """A running panel; ``sections`` are configuration."""
    document: dict[str, Any] = {"web": {"port": 0}, "redis": {"url": redis_url}, "database": {"url": database_url}}
    for name, values in sections.items():
        document[name] = {**document.get(name, {}), **values}
    config = Config(data, document, {}, "the test's configuration")
    prepare_data(config)
    panel = boot("web", config=config)
    panel.open()
    panel.migrate()
    sync_builtin()
    with running(panel) as server:
        yield server
