"""Nothing under a server's root reaches outside of it, whatever the paths and links say."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from beneath_parts import NOBODY, names, snapshot, verbs

from stellar.errors import Conflict, DomainError, Forbidden, Invalid, NotFound, TooLarge
from stellar.plugins.servers.agent.beneath import Opener, Root, default_opener, open_by_kernel, open_by_walk


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../secret",
        "world/../../secret",
        "world/..",
        "./../secret",
        "sec\0ret",
        "world/\0",
        "x" * 256,
        "/".join(["x" * 200] * 30),
        "\ud800",
    ],
)
def test_a_path_that_cannot_be_below_is_refused_by_every_verb(root: Root, tmp_path: Path, path: str) -> None:
    before = snapshot(tmp_path)
    for verb, call in verbs(root, path).items():
        with pytest.raises(Invalid):
            call()
            pytest.fail(verb)
    assert snapshot(tmp_path) == before
    assert names(tmp_path / "data") == ["server.properties", "world"]


@pytest.mark.parametrize("target", ["../outside", "{place}/outside", "/proc/self/root{place}/outside", "up/outside"])
def test_a_link_out_leads_nowhere(root: Root, data: Path, tmp_path: Path, target: str) -> None:
    (data / "up").symlink_to("..")
    (data / "link").symlink_to(target.format(place=tmp_path))
    before = snapshot(tmp_path)
    for path in ("link/file", "link/new", "link/outside/file"):
        for verb, call in verbs(root, path).items():
            with pytest.raises((Invalid, Conflict)):
                call()
                pytest.fail(f"{verb} {path}")
    for verb in ("open", "open for writing", "read", "list", "mkdir", "write", "rename to"):
        with pytest.raises((Invalid, Conflict)):
            verbs(root, "link")[verb]()
            pytest.fail(verb)
    assert root.stat("link").kind == "symlink"
    root.rename("link", "other")
    root.remove("other")
    assert snapshot(tmp_path) == before


def test_magic_links_are_not_followed(opener: Opener) -> None:
    with Root(Path(f"/proc/{os.getpid()}"), opener) as root:
        for path in ("root/etc/passwd", "cwd", "exe", "fd/0"):
            with pytest.raises((Invalid, Conflict)):
                root.open(path)


def test_a_link_that_stays_below_is_followed_by_the_kernel(data: Path) -> None:
    if default_opener() is not open_by_kernel:
        pytest.skip("optional: this kernel has no openat2")
    (data / "world" / "link").symlink_to("../server.properties")
    (data / "folder").symlink_to("world")
    with Root(data) as root:
        assert root.read("world/link", 100) == b"motd=hi\n"
        assert root.read("folder/level.dat", 100) == b"level"
    with Root(data, open_by_walk) as root:
        for path in ("world/link", "folder/level.dat"):
            with pytest.raises((Invalid, Conflict)):
                root.read(path, 100)


def test_a_write_does_not_go_through_a_link(root: Root, data: Path) -> None:
    (data / "link").symlink_to("server.properties")
    with pytest.raises(Invalid, match="link"):
        root.write_atomic("link", b"x")
    assert (data / "link").is_symlink()
    assert (data / "server.properties").read_text() == "motd=hi\n"


def test_fifos_devices_and_sockets_are_not_opened(root: Root, data: Path) -> None:
    os.mkfifo(data / "fifo")
    special = ["fifo", "socket"]
    with socket.socket(socket.AF_UNIX) as listener:
        # A socket's address is short: bind by a relative name.
        before = Path.cwd()
        os.chdir(data)
        try:
            listener.bind("socket")
        finally:
            os.chdir(before)
    if os.geteuid() == 0:
        os.mknod(data / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
        special.append("zero")
    for name in special:
        for flags in (os.O_RDONLY, os.O_RDWR):
            with pytest.raises(Invalid, match="not a regular file"):
                root.open(name, flags)
        with pytest.raises(Invalid, match="not a regular file"):
            root.write_atomic(name, b"x")
        assert root.stat(name).kind == "other"
        root.remove(name)
        assert not (data / name).exists()


def test_the_root_itself_can_be_listed_and_nothing_else(root: Root) -> None:
    for path in ("", ".", "/", "./."):
        assert [entry.name for entry in root.list(path)[0]] == ["world", "server.properties"]
        assert root.stat(path).kind == "directory"
        for call in (root.remove, lambda p: root.rename(p, "x"), lambda p: root.write_atomic(p, b"")):
            with pytest.raises(Invalid):
                call(path)
        with pytest.raises(Conflict):
            root.mkdir(path)


def test_a_listing_has_directories_first_and_pages(root: Root, data: Path) -> None:
    for name in ("b.txt", "A.txt", "c"):
        (data / name).touch()
    (data / "zoo").mkdir()
    entries, total = root.list("")
    assert [entry.name for entry in entries] == ["world", "zoo", "A.txt", "b.txt", "c", "server.properties"]
    assert total == 6
    assert [entry.name for entry in root.list("", 2, 2)[0]] == ["A.txt", "b.txt"]
    [entry] = root.list("world")[0]
    assert (entry.name, entry.kind, entry.size) == ("level.dat", "file", 5)
    assert entry.modified == (data / "world" / "level.dat").stat().st_mtime_ns
    with pytest.raises(Conflict, match="not a directory"):
        root.list("server.properties")
    with pytest.raises(NotFound):
        root.list("nowhere")


@pytest.mark.parametrize(
    "name", [b"caf\xe9", b"two\nlines", b"\xff\xfe", b"\x1b[31mred", "\uf7ff.txt".encode(), b"..."]
)
def test_any_name_can_be_listed_renamed_and_deleted(root: Root, data: Path, name: bytes) -> None:
    (data / "world" / os.fsdecode(name)).write_text("x")
    (data / "world" / "level.dat").unlink()
    [entry] = root.list("world")[0]
    entry.name.encode("utf-8")
    assert root.read(f"world/{entry.name}", 10) == b"x"
    root.rename(f"world/{entry.name}", f"world/{entry.name}2")
    assert names(data / "world") == [os.fsdecode(name + b"2")]
    root.remove(f"world/{entry.name}2")
    assert names(data / "world") == []


def test_a_file_over_the_limit_is_not_read(root: Root) -> None:
    assert root.read("server.properties", 8) == b"motd=hi\n"
    with pytest.raises(TooLarge):
        root.read("server.properties", 7)


def test_a_leading_slash_is_the_servers_root(root: Root, data: Path) -> None:
    root.mkdir("/etc")
    root.write_atomic("/etc/passwd", b"the server's own")
    root.write_atomic("//secret", b"the server's own")
    assert (data / "etc/passwd").read_bytes() == (data / "secret").read_bytes() == b"the server's own"
    with pytest.raises(NotFound):
        root.open("/etc/shadow")


def test_missing_permission_is_said(root: Root, data: Path) -> None:
    (data / "server.properties").chmod(0)
    user = os.geteuid()
    os.seteuid(user or NOBODY)
    try:
        with pytest.raises(Forbidden):
            root.open("server.properties")
    finally:
        os.seteuid(user)


def test_a_root_that_is_gone_or_a_link(tmp_path: Path) -> None:
    with pytest.raises(NotFound), Root(tmp_path / "gone"):
        pass
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(DomainError), Root(tmp_path / "link"):
        pass


def test_descriptors_are_given_back(root: Root, data: Path) -> None:
    (data / "link").symlink_to("..")
    before = len(names(Path("/proc/self/fd")))
    for path in ("server.properties", "link", "link/secret", "nowhere/x", "world", "..", ""):
        for call in verbs(root, path).values():
            try:
                call()
            except DomainError:
                continue
    root.usage()
    assert len(names(Path("/proc/self/fd"))) == before
