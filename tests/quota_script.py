"""Run by test_quota.py where the kernel has project quotas, on a file system mounted for it: fails or prints ``ok``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stellar.plugins.servers.agent.quota import PROJECTS, Quotas

NOBODY = 65534
LIMIT = 1024 * 1024


def main(place: Path) -> None:
    """Counted, held to the limit, known again, and let go."""
    data = new(place, "a")
    (data / "old").mkdir()
    (data / "old" / "file").write_bytes(b"x" * 300_000)
    quotas = Quotas(place)
    assert not quotas.problem, quotas.problem
    assert 300_000 <= used(quotas, data, LIMIT) < 400_000, "what was there before is counted"
    (data / "old" / "more").write_bytes(b"y" * 200_000)
    assert 500_000 <= used(quotas, data, LIMIT) < 600_000
    other = new(place, "b")
    assert used(quotas, other, 0) < 10_000, "nothing of a neighbour's is counted"
    assert not grow_as_nobody(data / "big"), "the file system holds it to its limit"
    assert used(quotas, data, LIMIT) <= LIMIT
    assert grow_as_nobody(other / "big")
    os.link(other / "big", other / "again")

    again = Quotas(place)
    assert again._projects == quotas._projects
    assert len(set(again._projects.values())) == 2
    assert all(project in PROJECTS for project in again._projects.values())
    assert used(again, data, 0) <= LIMIT
    assert grow_as_nobody(data / "bigger"), "a limit that is lifted is lifted"
    assert used(again, data, 0) > 4_000_000
    again.release(data)
    assert data not in again._projects
    assert [one.name for one in place.iterdir() if one.name.startswith(".try-")] == []
    print("ok")


def new(place: Path, name: str) -> Path:
    """A server's directory."""
    data = place / name / "data"
    data.mkdir(parents=True)
    os.chown(data, NOBODY, NOBODY)
    return data


def used(quotas: Quotas, data: Path, limit: int) -> int:
    """With quotas always a number."""
    found = quotas.used(data, limit)
    assert found is not None
    return found


def grow_as_nobody(path: Path) -> bool:
    """Whether 5 MB could be written, as a game would."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with path.open("wb", buffering=0) as file:
                for _ in range(50):
                    file.write(b"z" * 100_000)
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


main(Path(sys.argv[1]))
