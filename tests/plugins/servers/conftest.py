"""A whole installation for each module and database; see tests/whole_panel.py."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from whole_panel import Site, installation_on


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def installation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The module's installation: each test runs on SQLite and on PostgreSQL."""
    with installation_on(request.param, request, tmp_path_factory.mktemp("whole")) as site:
        yield site


@pytest.fixture
def site(installation: Site) -> Iterator[Site]:
    """The installation without any server."""
    yield installation
    installation.clean_up()


@pytest.fixture(scope="module")
def ada(installation: Site) -> Iterator[httpx.Client]:
    """Somebody with an account."""
    with installation.user("ada") as client:
        yield client
