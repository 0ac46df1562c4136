"""Fixtures for tests of the servers' agent: a node over a runtime in memory, and runs in containers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from docker_parts import Daemon
from docker_runs import Bench, Benches
from patch_parts import Patch, patcher
from server_parts import Node

from stellar.plugins.servers.agent.comeback import Policy


@pytest.fixture
def policy() -> Policy:
    """When the node starts crashed servers again."""
    return Policy()


@pytest.fixture
async def node(tmp_path: Path, policy: Policy) -> AsyncIterator[Node]:
    """A node without servers."""
    node = Node(tmp_path, policy)
    await node.manager.load()
    yield node
    node.manager.close()


@pytest.fixture
async def benches(tmp_path: Path, daemon: Daemon) -> AsyncIterator[Benches]:
    """Servers of the module's ``daemon``."""
    made = Benches(tmp_path, daemon)
    yield made
    await made.close()


@pytest.fixture
async def b(benches: Benches) -> Bench:
    """One of them."""
    return benches()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A server's directory."""
    data = tmp_path / "data"
    data.mkdir()
    return data


@pytest.fixture
def patch(data: Path) -> Patch:
    """Patches one file in it."""
    return patcher(data)
