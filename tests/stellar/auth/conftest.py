"""A web server without plugins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from web_parts import WebServer, make_panel, running


@pytest.fixture
def web(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[WebServer]:
    """A running panel, on both databases."""
    with running(make_panel(tmp_path / "data", redis_url, database={"url": database_url})) as server:
        yield server
