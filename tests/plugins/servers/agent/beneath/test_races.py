"""A server that changes its directory meanwhile, as fast as it can, gets nobody to reach outside of it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from beneath_parts import SECRET, snapshot, verbs

from stellar.errors import DomainError
from stellar.plugins.servers.agent.beneath import Opener, Root


@pytest.mark.parametrize("swapped", ["directory", "file"])
def test_a_link_swapped_in_meanwhile_never_leads_out(opener: Opener, data: Path, tmp_path: Path, swapped: str) -> None:
    """A server that swaps a directory (or file) for a link to the outside, as fast as it can."""
    before = snapshot(tmp_path)
    done = threading.Event()
    target = tmp_path / ("outside" if swapped == "directory" else "outside/file")

    def swap() -> None:
        while not done.is_set():
            for build in (lambda p: p.symlink_to(target), _tree if swapped == "directory" else Path.touch):
                try:
                    build(data / "next")
                    (data / "trap").rename(data / "old")
                    (data / "next").rename(data / "trap")
                except OSError:
                    pass
                _delete(data / "next")
                _delete(data / "old")

    thread = threading.Thread(target=swap)
    thread.start()
    results = {"refused": 0, "done": 0}
    path = "trap/file" if swapped == "directory" else "trap"
    try:
        for _ in range(300):
            with Root(data, opener) as root:
                for call in (*verbs(root, path).values(), lambda: root.remove("trap"), root.usage):
                    try:
                        assert call() != SECRET
                        results["done"] += 1
                    except DomainError:
                        results["refused"] += 1
    finally:
        done.set()
        thread.join()
    assert snapshot(tmp_path) == before
    assert min(results.values()) > 0


def _tree(path: Path) -> None:
    path.mkdir()
    (path / "file").touch()


def _delete(path: Path) -> None:
    """Delete a link, a file or a directory with files, by the name it has at this moment."""
    try:
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            for child in path.iterdir():
                child.unlink()
            path.rmdir()
    except OSError:
        pass
