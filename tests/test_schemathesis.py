"""schemathesis against the live API: whatever it asks, the answer is one that the description announces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from schemathesis_parts import lenient_panel, run, scene_of
from whole_panel import Site

SEED = 1
EXAMPLES = 3
"""Random requests of each kind; the systematic ones, about thirty an operation, come besides."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A panel with a worker and a node."""
    with lenient_panel(tmp_path, f"sqlite:///{tmp_path / 'test.db'}") as found:
        yield found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("caller", ["anonymous", "user", "admin"])
def test_every_answer_is_described(site: Site, tmp_path: Path, caller: str) -> None:
    with site.web.client() as client:
        document = client.get("/api/v1/openapi.json").json()
    operations = sum(map(len, document["paths"].values()))
    ran = run(scene_of(site, caller), tmp_path, SEED, EXAMPLES)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.search(rf"Tested: {operations}\b", ran.stdout), ran.stdout
