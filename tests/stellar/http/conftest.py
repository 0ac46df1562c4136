"""A web server with a plugin that has one endpoint of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from probe_plugin import probe
from web_parts import WebServer, make_panel, running


@pytest.fixture
def web(tmp_path: Path, redis_url: str) -> Iterator[WebServer]:
    """A running panel with the plugin ``probe``."""
    with running(make_panel(tmp_path / "data", redis_url, probe)) as server:
        yield server
