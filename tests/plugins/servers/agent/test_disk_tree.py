"""Counting what a tree takes: the same as looking at every file, while it changes, without looking at every file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from stellar.plugins.servers.agent import disk_tree, trees
from stellar.plugins.servers.agent.disk_tree import DiskTree

KIB = 1024


@contextmanager
def opened(directory: Path) -> Iterator[int]:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def count(tree: DiskTree, directory: Path) -> int:
    with opened(directory) as fd:
        return tree.count(fd)


def real(directory: Path) -> int:
    """What looking at every file finds."""
    with opened(directory) as fd:
        return trees.usage(fd)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The directories whose files were looked at."""
    found: list[int] = []
    measure = DiskTree._measure

    def measuring(self: DiskTree, fd: int, known: disk_tree._Directory, inner: dict[bytes, object]) -> None:
        found.append(os.fstat(fd).st_ino)
        measure(self, fd, known, inner)  # type: ignore[arg-type]

    monkeypatch.setattr(DiskTree, "_measure", measuring)
    return found


def settle(directory: Path) -> None:
    """As if nothing had been changed for long."""
    for path in (directory, *directory.rglob("*")):
        if path.is_dir():
            os.utime(path, (1_000_000_000, 1_000_000_000))


def grown_tree(directory: Path, folders: int, files: int) -> None:
    for folder in range(folders):
        (directory / f"{folder}").mkdir()
        for file in range(files):
            (directory / f"{folder}" / f"f{file}").write_bytes(b"x" * 4 * KIB)


def test_a_small_tree_is_counted_whole_each_time(tmp_path: Path) -> None:
    grown_tree(tmp_path, 5, 4)
    tree = DiskTree()
    assert count(tree, tmp_path) == real(tmp_path)
    with (tmp_path / "3" / "f2").open("ab") as file:
        file.write(b"x" * 100 * KIB)
    settle(tmp_path)
    assert count(tree, tmp_path) == real(tmp_path)


def test_sparse_files_links_and_devices(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**9)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "big").write_bytes(b"x" * 500 * KIB)
    os.link(tmp_path / "a" / "big", tmp_path / "b" / "again")
    (tmp_path / "out").symlink_to("/usr")
    os.mkfifo(tmp_path / "fifo")
    tree = DiskTree()
    assert count(tree, tmp_path) == real(tmp_path) < 600 * KIB
    os.link(tmp_path / "a" / "big", tmp_path / "third")
    assert count(tree, tmp_path) == real(tmp_path)
    (tmp_path / "a" / "big").unlink()
    (tmp_path / "third").unlink()
    assert count(tree, tmp_path) == real(tmp_path) > 500 * KIB


def test_a_large_tree_is_looked_at_bit_by_bit(tmp_path: Path, looked: list[int]) -> None:
    grown_tree(tmp_path, 40, 5)
    settle(tmp_path)
    tree = DiskTree(entries=30)
    assert count(tree, tmp_path) == real(tmp_path)
    assert len(looked) == 41
    with (tmp_path / "39" / "f4").open("ab") as file:
        file.write(b"x" * 100 * KIB)
    settle(tmp_path)
    for _ in range(20):
        looked.clear()
        counted = count(tree, tmp_path)
        assert 0 < len(looked) <= 6, "a pass looks at a few directories alone"
        if counted == real(tmp_path):
            break
    else:
        pytest.fail("growth within a file must be seen after a few passes")


def test_names_that_come_and_go_are_seen_at_once(tmp_path: Path, looked: list[int]) -> None:
    grown_tree(tmp_path, 40, 5)
    settle(tmp_path)
    tree = DiskTree(entries=100)
    count(tree, tmp_path)
    (tmp_path / "39" / "new").write_bytes(b"x" * 300 * KIB)
    looked.clear()
    assert count(tree, tmp_path) == real(tmp_path)
    shutil.rmtree(tmp_path / "38")
    assert count(tree, tmp_path) == real(tmp_path)
    (tmp_path / "37").rename(tmp_path / "36" / "inside")
    assert count(tree, tmp_path) == real(tmp_path)
    assert len(looked) < 3 * 41


def test_what_grows_is_looked_at_each_time(tmp_path: Path) -> None:
    grown_tree(tmp_path, 40, 5)
    settle(tmp_path)
    tree = DiskTree(entries=30)
    count(tree, tmp_path)
    log = tmp_path / "39" / "log"
    log.touch()
    count(tree, tmp_path)
    for _ in range(10):
        with log.open("ab") as file:
            file.write(b"x" * 100 * KIB)
        assert count(tree, tmp_path) == real(tmp_path)
        os.utime(log.parent, (1_000_000_000, 1_000_000_000))


def test_one_huge_directory_keeps_nobody_from_their_turn(tmp_path: Path) -> None:
    grown_tree(tmp_path, 10, 3)
    (tmp_path / "0-huge").mkdir()
    for number in range(300):
        (tmp_path / "0-huge" / str(number)).touch()
    settle(tmp_path)
    tree = DiskTree(entries=20)
    count(tree, tmp_path)
    with (tmp_path / "9" / "f0").open("ab") as file:
        file.write(b"x" * 100 * KIB)
    for _ in range(12):
        (tmp_path / "0-huge" / "busy").touch()
        (tmp_path / "0-huge" / "busy").unlink()
        last = count(tree, tmp_path)
    assert last == real(tmp_path)


def test_more_directories_than_are_remembered(tmp_path: Path) -> None:
    grown_tree(tmp_path, 30, 2)
    grown_tree(tmp_path / "7", 30, 2)
    tree = DiskTree(directories=40)
    for _ in range(3):
        assert count(tree, tmp_path) == real(tmp_path)
        assert tree._known <= 40
    grown_tree(tmp_path / "8", 50, 1)
    assert count(tree, tmp_path) == real(tmp_path)
    shutil.rmtree(tmp_path / "7")
    assert count(tree, tmp_path) == real(tmp_path)
    assert tree._known <= 40


def test_deeper_than_the_walk(tmp_path: Path) -> None:
    deep = tmp_path / "/".join(["d"] * 100)
    deep.mkdir(parents=True)
    (deep / "file").write_bytes(b"x" * 200 * KIB)
    tree = DiskTree()
    assert count(tree, tmp_path) == real(tmp_path) > 200 * KIB
    (deep / "file").unlink()
    assert count(tree, tmp_path) == real(tmp_path) < 600 * KIB


def test_a_directory_that_becomes_a_link_outside(tmp_path: Path) -> None:
    (tmp_path / "data" / "world").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "huge").write_bytes(b"x" * 900 * KIB)
    tree = DiskTree()
    count(tree, tmp_path / "data")
    (tmp_path / "data" / "world").rmdir()
    (tmp_path / "data" / "world").symlink_to("../outside")
    assert count(tree, tmp_path / "data") < 100 * KIB


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    grown_tree(tmp_path, 5, 2)
    before = len(list(Path("/proc/self/fd").iterdir()))
    tree = DiskTree()
    count(tree, tmp_path)
    count(tree, tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


NAMES = st.sampled_from(["a", "b", "c", "d"])
FOLDERS = st.lists(NAMES, max_size=3).map("/".join)


class ChangingTree(RuleBasedStateMachine):
    """A tree under which anything may happen between two counts."""

    directories = 2000
    passes = 1

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(os.path.realpath(os.environ.get("TMPDIR", "/tmp"))) / f"stellar-tree-{os.getpid()}"
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        self.tree = DiskTree(entries=10_000, directories=self.directories)

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    def folder(self, path: str) -> Path:
        found = self.root
        for part in path.split("/"):
            if (found / part).is_dir() and not (found / part).is_symlink():
                found /= part
        return found

    @rule(at=FOLDERS, name=NAMES)
    def make_folder(self, at: str, name: str) -> None:
        if not os.path.lexists(self.folder(at) / name):
            (self.folder(at) / name).mkdir()

    @rule(at=FOLDERS, name=NAMES, size=st.integers(0, 300_000))
    def append(self, at: str, name: str, size: int) -> None:
        path = self.folder(at) / f"{name}.dat"
        with path.open("ab") as file:
            file.write(os.urandom(size))
            os.fsync(file.fileno())

    @rule(at=FOLDERS, name=NAMES, size=st.integers(0, 10**9))
    def cut(self, at: str, name: str, size: int) -> None:
        with (self.folder(at) / f"{name}.dat").open("ab") as file:
            file.truncate(size)

    @rule(at=FOLDERS, to=FOLDERS, name=NAMES, other=NAMES)
    def link(self, at: str, to: str, name: str, other: str) -> None:
        source, target = self.folder(at) / f"{name}.dat", self.folder(to) / f"{other}.dat"
        if source.exists() and not target.exists():
            os.link(source, target)

    @rule(at=FOLDERS, to=FOLDERS, name=NAMES, other=NAMES)
    def move(self, at: str, to: str, name: str, other: str) -> None:
        source, target = self.folder(at) / name, self.folder(to) / other
        if source.is_dir() and not os.path.lexists(target) and source not in (target, *target.parents):
            source.rename(target)

    @rule(at=FOLDERS, name=NAMES, file=st.booleans())
    def delete(self, at: str, name: str, file: bool) -> None:
        path = self.folder(at) / (f"{name}.dat" if file else name)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    @invariant()
    def counted_right(self) -> None:
        expected = real(self.root)
        assert expected in (count(self.tree, self.root) for _ in range(self.passes))
        assert self.tree._known <= self.directories


class ChangingLargeTree(ChangingTree):
    """The same with more directories than are remembered: each of those that are counted whole takes a pass."""

    directories = 6
    passes = 40


TestChangingTree = ChangingTree.TestCase
TestChangingTree.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestChangingLargeTree = ChangingLargeTree.TestCase
TestChangingLargeTree.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
