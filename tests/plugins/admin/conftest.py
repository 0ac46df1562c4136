"""A running panel with the plugins that administration is about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from admin_parts import PLUGINS
from web_parts import WebServer, make_panel, running


@pytest.fixture
def web(tmp_path: Path, redis_url: str) -> Iterator[WebServer]:
    """A running panel."""
    with running(make_panel(tmp_path / "data", redis_url, *PLUGINS)) as server:
        yield server


@pytest.fixture
def root(web: WebServer) -> Iterator[httpx.Client]:
    """The only administrator."""
    with web.signed_in("root@example.com", "admin") as client:
        yield client
