"""Config files that are broken, too large, hostile or no files at all are reported and left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from patch_parts import Patch

from stellar.plugins.servers.agent.patches import MAX_SIZE, MAX_SLOW_SIZE, PARSERS


@pytest.mark.parametrize("parser", ["json", "yaml", "toml"])
@pytest.mark.parametrize(
    "broken",
    [b"{ [", b'"text"', b"a: 1: 2\n", b"\xff\xfe", b"[" * 200_000, b"a = 1\na = 2", b"\0", b"{'a': !!python/x 1}}"],
)
def test_a_broken_file_is_reported_and_left(patch: Patch, data: Path, parser: str, broken: bytes) -> None:
    [problem] = patch("file", parser, broken, {"a": 1})
    assert problem.startswith("file was left as it is: ")
    assert "\n" not in problem
    assert (data / "file").read_bytes() == broken
    assert [path.name for path in data.iterdir()] == ["file"]


def test_the_line_of_the_mistake_is_named(patch: Patch) -> None:
    for parser, broken in (
        ("json", '{\n"a": 1,\n}'),
        ("yaml", "# head\n---\nb: 2: 3\n"),
        ("toml", "a = 1\nb = 2\nc =\n"),
    ):
        assert "(line 3)" in patch("file", parser, broken, {"a": 1})[0]


@pytest.mark.parametrize("parser", sorted(PARSERS))
def test_a_file_too_large_is_left(patch: Patch, data: Path, parser: str) -> None:
    limit = MAX_SLOW_SIZE if parser in ("yaml", "toml") else MAX_SIZE
    with (data / "file").open("wb") as file:
        file.truncate(limit + 1)
    [problem] = patch("file", parser, None, {"a": 1})
    assert "larger" in problem
    assert (data / "file").stat().st_size == limit + 1


@pytest.mark.parametrize(
    "line", [" " * 400_000, "a={\n" * 100_000, 'a = """\n' * 100_000, "[" + "] " * 100_000, "\\\n" * 100_000]
)
def test_hostile_lines_cost_no_more_than_their_length(patch: Patch, line: str) -> None:
    for parser, key in (("properties", "key"), ("ini", "key"), ("ini", "s.key"), ("file", "key")):
        patch("file", parser, f"key={line}x\n{line}", {key: "1"})


@pytest.mark.parametrize("file", ["../secret", "link", "out/secret", "fifo", "a\0b", "", "folder"])
def test_only_regular_files_below_the_root(patch: Patch, data: Path, tmp_path: Path, file: str) -> None:
    (tmp_path / "secret").write_text("a=1\n")
    (data / "link").symlink_to("../secret")
    (data / "out").symlink_to(tmp_path)
    (data / "folder").mkdir()
    os.mkfifo(data / "fifo")
    for parser in sorted(PARSERS):
        [problem] = patch(file, parser, None, {"a": "2"})
        assert "was left as it is" in problem
    assert (tmp_path / "secret").read_text() == "a=1\n"
    assert sorted(path.name for path in data.iterdir()) == ["fifo", "folder", "link", "out"]
