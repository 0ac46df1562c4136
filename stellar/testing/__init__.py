"""A pytest plugin for authors of plugins: fixtures for a real panel in the test's own process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ..panel import Panel


@pytest.fixture(scope="session")
def stellar_redis_url() -> Iterator[str]:
    """The URL of a real Valkey, started for the run."""
    from .valkey import ValkeyServer

    server = ValkeyServer()
    server.start()
    yield server.url
    server.remove()


@pytest.fixture
def stellar_panel(tmp_path: Path, stellar_redis_url: str) -> Iterator[Panel]:
    """A panel with every installed plugin and an up-to-date SQLite database; services can be called directly."""
    from ..config import load_config, prepare_data
    from ..panel import boot

    config = load_config(tmp_path / "stellar", {"STELLAR_REDIS_URL": stellar_redis_url})
    prepare_data(config)
    panel = boot("migrate", config=config)
    panel.open()
    panel.migrate()
    panel.start()
    yield panel
    panel.stop()
