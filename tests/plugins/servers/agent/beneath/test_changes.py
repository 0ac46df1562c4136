"""What is written, renamed and removed below a server's root."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from beneath_parts import as_root, names, snapshot
from small_disk import small_disk

from stellar.errors import Conflict, Invalid, NotFound, Unavailable
from stellar.plugins.servers.agent.beneath import Opener, Root, part_name


def test_an_atomic_write_keeps_the_mode_and_replaces_whole(root: Root, data: Path) -> None:
    run = data / "run.sh"
    run.write_text("old")
    run.chmod(0o4750)
    with root.writer("run.sh") as writer:
        writer.write(b"new ")
        assert run.read_text() == "old"
        writer.write(b"text")
        writer.commit()
    assert run.read_text() == "new text"
    assert stat.S_IMODE(run.stat().st_mode) == 0o750
    root.write_atomic("fresh", b"")
    assert stat.S_IMODE((data / "fresh").stat().st_mode) == 0o644


def test_a_dropped_write_leaves_nothing(root: Root, data: Path) -> None:
    with root.writer("server.properties", "abc") as writer:
        writer.write(b"half")
        assert (data / part_name("abc")).exists()
    assert names(data) == ["server.properties", "world"]
    assert (data / "server.properties").read_text() == "motd=hi\n"


def test_a_write_into_no_folder_or_onto_a_folder(root: Root, data: Path) -> None:
    with pytest.raises(NotFound):
        root.write_atomic("nowhere/file", b"x")
    with pytest.raises(Conflict, match="directory"):
        root.write_atomic("world", b"x")
    with root.writer("late") as writer:
        (data / "late").mkdir()
        with pytest.raises(Conflict):
            writer.commit()
    assert names(data) == ["late", "server.properties", "world"]


@as_root
def test_new_things_belong_to_the_server(root: Root, data: Path) -> None:
    os.chown(data, 4321, 4322)
    root.write_atomic("fresh", b"")
    root.mkdir("deep/er")
    root.write_atomic("server.properties", b"")
    owners = {name: ((data / name).stat().st_uid, (data / name).stat().st_gid) for name in ("fresh", "deep", "deep/er")}
    assert set(owners.values()) == {(4321, 4322)}
    assert (data / "server.properties").stat().st_uid == 0


@as_root
def test_a_full_disk_is_said_and_the_old_file_stays(tmp_path: Path, opener: Opener) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk), Root(disk, opener) as root:
        root.write_atomic("file", b"old")
        with pytest.raises(Unavailable) as caught:
            root.write_atomic("file", b"x" * 100_000)
        assert caught.value.code == "disk_full"
        assert root.read("file", 10) == b"old"
        assert names(disk) == ["file"]


def test_rename_never_overwrites(root: Root, data: Path) -> None:
    (data / "other").write_text("other")
    for target in ("other", "world", "server.properties"):
        with pytest.raises(Conflict):
            root.rename("server.properties", target)
    assert (data / "other").read_text() == "other"
    with pytest.raises(NotFound):
        root.rename("nothing", "new")
    with pytest.raises(NotFound):
        root.rename("other", "nowhere/new")
    with pytest.raises(Invalid, match="into itself"):
        root.rename("world", "world/inner")
    root.rename("world", "earth")
    root.rename("other", "earth/other")
    assert names(data / "earth") == ["level.dat", "other"]


def test_folders_with_missing_parents(root: Root, data: Path) -> None:
    root.mkdir("a/b/c")
    assert (data / "a/b/c").is_dir()
    with pytest.raises(Conflict):
        root.mkdir("a/b")
    root.mkdir("a/b", exist_ok=True)
    with pytest.raises(Conflict):
        root.mkdir("server.properties/x")


def test_removing_a_tree_leaves_what_its_links_point_to(root: Root, data: Path, tmp_path: Path) -> None:
    tree = data / "tree"
    for name in ("a/b", "a/c", "d"):
        (tree / name).mkdir(parents=True)
        (tree / name / "file").write_text("x")
    (tree / "a" / "out").symlink_to(tmp_path / "outside")
    (tree / "a" / "in").symlink_to("../../world")
    (tree / "locked").mkdir()
    (tree / "locked" / "file").touch()
    (tree / "locked").chmod(0)
    before = snapshot(tmp_path)
    root.remove("tree")
    assert names(data) == ["server.properties", "world"]
    assert names(data / "world") == ["level.dat"]
    assert snapshot(tmp_path) == before
    with pytest.raises(NotFound):
        root.remove("tree")


@pytest.fixture
def deep(data: Path) -> Iterator[Path]:
    """Where a test puts a tree that is too deep for pytest to delete."""
    yield data / "d"
    subprocess.run(["rm", "-rf", data / "d"], check=True)


def test_a_tree_deeper_than_any_path_is_measured_and_removed(root: Root, data: Path, deep: Path) -> None:
    fd = os.open(data, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    file = os.open("deep", os.O_WRONLY | os.O_CREAT, dir_fd=fd)
    os.write(file, b"x" * 1_000_000)
    os.close(file)
    os.close(fd)
    assert root.usage() >= 1_000_000
    root.remove("d")
    assert not deep.exists()
    assert names(data) == ["server.properties", "world"]


def test_usage_counts_a_file_once_and_no_link(root: Root, data: Path, tmp_path: Path) -> None:
    (data / "world" / "big").write_bytes(b"x" * 1_000_000)
    os.link(data / "world" / "big", data / "again")
    (tmp_path / "outside" / "huge").write_bytes(b"x" * 5_000_000)
    (data / "out").symlink_to("../outside")
    with (data / "sparse").open("wb") as sparse:
        sparse.truncate(10**9)
    assert 1_000_000 <= root.usage() < 1_200_000
