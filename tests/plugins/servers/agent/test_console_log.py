from __future__ import annotations

from pathlib import Path
from typing import Any

from stellar.plugins.servers.agent.console_log import ConsoleLog


def write(directory: Path, base: int, data: bytes) -> None:
    directory.mkdir(exist_ok=True)
    (directory / f"{base:020d}.log").write_bytes(data)


def test_a_log_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    log = ConsoleLog(tmp_path / "none")
    assert (log.start, log.end, log.read(0, 10), log.read(99, 10)) == (0, 0, (0, b""), (0, b""))


def test_reads_across_segments_and_stops_at_the_limit(tmp_path: Path) -> None:
    write(tmp_path, 0, b"abcd")
    write(tmp_path, 4, b"efgh")
    write(tmp_path, 8, b"ij")
    log = ConsoleLog(tmp_path)
    assert (log.start, log.end) == (0, 10)
    assert log.read(0, 100) == (0, b"abcdefghij")
    assert log.read(3, 3) == (3, b"def")
    assert log.read(4, 4) == (4, b"efgh")
    assert log.read(10, 5) == (10, b"")
    assert log.read(50, 5) == (10, b"")
    assert log.read(-5, 2) == (0, b"ab")


def test_tells_where_it_really_starts_when_older_bytes_are_gone(tmp_path: Path) -> None:
    write(tmp_path, 4, b"efgh")
    log = ConsoleLog(tmp_path)
    assert log.start == 4
    assert log.read(0, 2) == (4, b"ef")


def test_never_joins_bytes_over_a_hole(tmp_path: Path) -> None:
    write(tmp_path, 0, b"ab")
    write(tmp_path, 4, b"ef")
    log = ConsoleLog(tmp_path)
    assert log.read(0, 100) == (0, b"ab")
    assert log.read(2, 100) == (4, b"ef")


def test_rotation_between_listing_and_opening(tmp_path: Path, monkeypatch: Any) -> None:
    write(tmp_path, 0, b"old")
    write(tmp_path, 3, b"new")
    log = ConsoleLog(tmp_path)
    listing = ConsoleLog._bases

    def rotate_after(self: ConsoleLog) -> list[int]:
        found = listing(self)
        (tmp_path / f"{0:020d}.log").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(ConsoleLog, "_bases", rotate_after)
    assert log.read(0, 100) == (3, b"new")


def test_ignores_other_files(tmp_path: Path) -> None:
    write(tmp_path, 0, b"x")
    (tmp_path / "notes.log").write_bytes(b"?")
    assert ConsoleLog(tmp_path).read(0, 9) == (0, b"x")
