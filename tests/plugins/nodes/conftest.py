"""A panel and a server's row on a node, without an agent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from full_panel import full_panel
from web_parts import WebServer


@pytest.fixture
def web(tmp_path: Path, redis_url: str) -> Iterator[WebServer]:
    with full_panel(tmp_path, redis_url) as server:
        yield server


@pytest.fixture
def admin(web: WebServer) -> Iterator[httpx.Client]:
    with web.signed_in("admin@example.com", "admin") as client:
        yield client
