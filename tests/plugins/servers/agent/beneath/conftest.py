"""A server's data directory with a secret beside it, opened in each way that there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from beneath_parts import SECRET

from stellar.plugins.servers.agent.beneath import Opener, Root, default_opener, open_by_kernel, open_by_walk


@pytest.fixture(params=[open_by_kernel, open_by_walk], ids=["openat2", "walk"])
def opener(request: pytest.FixtureRequest) -> Opener:
    chosen: Opener = request.param
    if chosen is open_by_kernel and default_opener() is not open_by_kernel:
        pytest.skip("optional: this kernel has no openat2")
    return chosen


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A server's data directory beside a secret that is not its."""
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(SECRET)
    data = tmp_path / "data"
    (data / "world").mkdir(parents=True)
    (data / "server.properties").write_text("motd=hi\n")
    (data / "world" / "level.dat").write_bytes(b"level")
    return data


@pytest.fixture
def root(data: Path, opener: Opener) -> Iterator[Root]:
    with Root(data, opener) as root:
        yield root
