"""Done-patterns over raw terminal output."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellar.errors import Invalid
from stellar.plugins.blueprints.patterns import MAX_ESCAPE, MAX_LINE, compile_done


@pytest.mark.parametrize(
    ("pattern", "output"),
    [
        ("Done", b"[12:00] Done (3s)!\r\n"),
        ("Done", b"no line feed yet: Done"),
        ("listening on", b"\x1b[32mlis\x1b[0;1mtening\x1b[m on 1\n"),
        ("listening on", b"\x1b]0;a title\x07listening\x1b[K on"),
        ("listening on", b"\x1b]0;a title\x1b\\listening\x1b(B on"),
        ("listening on", b"\x1b[14dServer\r\x1b[15dlistening on 0.0.0.0:1.\r\x1b[16d"),
        ("a  b", b"a\x1b[2Cb"),
        ("grün", "grün".encode()),
        ("[x].*", b"a [x].* b"),
        (r"regex:^\[\d+\] up$", b"x\r\n[42] up\r\n"),
        (r"regex:^listening", b"foo\x1b[15dlistening on"),
        (r"regex:gr.n$", b"ab gr\xc3\xbcn\n"),
    ],
)
def test_matches_however_it_is_cut(pattern: str, output: bytes) -> None:
    assert compile_done([pattern]).feed(output)
    matcher = compile_done([pattern])
    assert any(matcher.feed(output[at : at + 1]) for at in range(len(output)))


@pytest.mark.parametrize(
    ("pattern", "output"),
    [
        ("Done", b"Do\nne"),
        ("Done", b"Do\x1b[5;5Hne"),
        ("Done", b"Do\rne"),
        ("Done", b"done"),
        ("title", b"\x1b]0;a title\x07"),
        ("32m", b"\x1b[32m"),
        ("a.c", b"abc"),
        (r"regex:^b", b"ab"),
        (r"regex:a.*b", b"a\nb"),
    ],
)
def test_does_not_match(pattern: str, output: bytes) -> None:
    assert not compile_done([pattern]).feed(output)
    matcher = compile_done([pattern])
    assert not any(matcher.feed(output[at : at + 1]) for at in range(len(output)))


@given(
    data=st.lists(
        st.sampled_from(
            [
                b"\x1b",
                b"[",
                b"3",
                b"1m",
                b"]0;",
                b"\x07",
                b"\\",
                b"ready",
                b"re",
                b"ady",
                b"\n",
                b"\r",
                b"H",
                b"(",
                b"B",
                b" ",
            ]
        ),
        max_size=30,
    ),
    cuts=st.lists(st.integers(0, 60), max_size=8),
)
def test_the_cuts_do_not_matter(data: list[bytes], cuts: list[int]) -> None:
    output = b"".join(data)
    edges = [0, *sorted(cut for cut in cuts if cut <= len(output)), len(output)]
    matcher = compile_done(["ready"])
    pieces = [matcher.feed(output[start:end]) for start, end in pairwise(edges)]
    assert any(pieces) == compile_done(["ready"]).feed(output)


def test_any_pattern_will_do() -> None:
    matcher = compile_done(["never", "regex:^no$", "second"])
    assert not matcher.feed(b"first\n")
    assert matcher.feed(b"second\n")


def test_memory_is_bounded() -> None:
    matcher = compile_done(["ready", "regex:^ready$"])
    for piece in (b"x" * 100_000, b"\x1b]" + b"y" * 100_000, b"\x1b[" + b"1" * 100_000):
        for _ in range(5):
            assert not matcher.feed(piece)
    assert len(matcher._text._line) <= MAX_LINE
    assert len(matcher._text._escape) <= MAX_ESCAPE
    assert matcher.feed(b"\nready")


def test_a_catastrophic_pattern_is_given_up() -> None:
    matcher = compile_done([r"regex:^(([a-z])+.)+[A-Z]([a-z])+$", "ready"])
    for _ in range(200):
        assert not matcher.feed(b"a" * 4000 + b"\n")
    assert matcher._expressions == []
    assert matcher.feed(b"ready")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "needs 1 to"),
        ("  ", "needs 1 to"),
        ("x" * 600, "needs 1 to"),
        ("a\nb", "control characters"),
        ("regex:", "needs 1 to"),
        ("regex:(", "is broken"),
        ("regex:[z-a]", "is broken"),
        ("regex:(?R)", "calls itself"),
        ("regex:" + "x" * 5000, "needs 1 to"),
    ],
)
def test_broken_patterns_are_refused(pattern: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        compile_done([pattern])


def test_too_many_patterns_are_refused() -> None:
    with pytest.raises(Invalid, match="At most"):
        compile_done(["x"] * 17)
