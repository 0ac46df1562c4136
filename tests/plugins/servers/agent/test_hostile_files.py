"""A config file may be whatever the game has put in its place: no patch follows it out, hangs on it or swallows it."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from stellar.errors import DomainError
from stellar.plugins.servers.agent import patches
from stellar.plugins.servers.agent.beneath import Opener, Root, open_by_kernel, open_by_walk
from stellar.plugins.servers.agent.patches import apply_patches
from stellar.plugins.servers.spec import ConfigPatch

SECRET = "a=theirs\n"
GIGABYTE = 1 << 30
WITHIN = 20.0

Make = Callable[[Path, Path], object]


def sparse(file: Path, _outside: Path) -> None:
    with file.open("wb") as made:
        made.truncate(GIGABYTE)


def bound(file: Path, _outside: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(os.path.relpath(file))


KINDS: dict[str, Make] = {
    "a link out": lambda file, outside: file.symlink_to(outside),
    "a relative link out": lambda file, outside: file.symlink_to(os.path.relpath(outside, file.parent)),
    "a link to itself": lambda file, _outside: file.symlink_to(file.name),
    "a link to endless zeros": lambda file, _outside: file.symlink_to("/dev/zero"),
    "a link to a process": lambda file, _outside: file.symlink_to("/proc/self/environ"),
    "a FIFO": lambda file, _outside: os.mkfifo(file),
    "a device": lambda file, _outside: os.mknod(file, stat.S_IFCHR | 0o666, os.makedev(1, 5)),
    "a block device": lambda file, _outside: os.mknod(file, stat.S_IFBLK | 0o666, os.makedev(7, 0)),
    "a socket": bound,
    "a directory": lambda file, _outside: file.mkdir(),
    "a gigabyte": sparse,
}


@pytest.fixture(params=KINDS)
def planted(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A server's data directory in which ``config`` is what it shouldn't be."""
    outside, data = tmp_path / "outside", tmp_path / "data"
    outside.write_text(SECRET)
    data.mkdir()
    try:
        KINDS[request.param](data / "config", outside)
    except PermissionError:
        pytest.skip("needs root to make a device")
    return data


def in_time(work: Callable[[], object]) -> object:
    """What some work answers, or the error that it raises; it has to end by itself."""
    answers: list[object] = []

    def run() -> None:
        try:
            answers.append(work())
        except DomainError as error:
            answers.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(WITHIN)
    assert answers, "it hangs"
    return answers[0]


@pytest.mark.parametrize("parser", sorted(patches.PARSERS))
def test_a_patch_reports_it_and_leaves_it(planted: Path, tmp_path: Path, parser: str) -> None:
    config = planted / "config"
    before = config.lstat()
    problems = in_time(lambda: apply_patches(planted, [ConfigPatch("config", parser, {"a": "mine"})], {}))
    assert isinstance(problems, list) and len(problems) == 1 and "left as it is" in problems[0], problems
    after = config.lstat()
    assert (after.st_ino, after.st_size, after.st_mode) == (before.st_ino, before.st_size, before.st_mode)
    assert (tmp_path / "outside").read_text() == SECRET
    assert [path.name for path in planted.iterdir()] == ["config"]


@pytest.mark.parametrize("opener", [open_by_kernel, open_by_walk])
def test_it_is_not_opened_for_reading_or_writing(planted: Path, opener: Opener) -> None:
    with Root(planted, opener) as root:
        assert isinstance(in_time(lambda: root.read("config", 1024)), DomainError)
        if not stat.S_ISREG((planted / "config").lstat().st_mode):
            assert isinstance(in_time(lambda: root.open("config", os.O_RDWR)), DomainError)
            assert isinstance(in_time(lambda: root.write_atomic("config", b"x")), DomainError)


def test_a_folder_that_is_a_link_out_takes_no_file(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    data = tmp_path / "data"
    data.mkdir()
    (data / "plugins").symlink_to(tmp_path / "outside")
    patch = ConfigPatch("plugins/mine/config.json", "json", {"a": 1})
    assert "left as it is" in apply_patches(data, [patch], {})[0]
    assert list((tmp_path / "outside").iterdir()) == []


SLOW = {
    "yaml": ["[" * 100_000, "a: b\n" * 40_000, "a: &a {x: 1}\n" + "b: {<<: *a}\n" * 100, "- " * 40_000 + "a"],
    "toml": ["".join(f"[a.b{number}]\nk=1\n" for number in range(12_000))],
    "properties": ["a=1\n" * 200_000],
    "ini": ["a=1\n" * 200_000],
    "file": ["a\n" * 200_000],
}


@pytest.mark.parametrize(("parser", "text"), [(parser, text) for parser, texts in SLOW.items() for text in texts])
def test_a_file_that_would_take_long_to_read_is_left(tmp_path: Path, parser: str, text: str) -> None:
    (tmp_path / "a").write_text(text)
    [problem] = apply_patches(tmp_path, [ConfigPatch("a", parser, {"a": 2})], {})
    assert "too many parts" in problem or "lines" in problem
    assert (tmp_path / "a").read_text() == text
