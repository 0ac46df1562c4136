"""Every byte of terminal output is accounted for in text; plain text has no control codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellar.plugins.console.text import decode, line_start, plain, settled


@given(st.binary(max_size=200))
def test_text_has_as_many_bytes_as_it_stands_for(data: bytes) -> None:
    text, used = decode(data)
    assert len(text.encode()) == used
    assert len(data) - used < 4


@given(st.lists(st.binary(max_size=12), max_size=12))
def test_text_does_not_depend_on_where_the_output_is_cut(parts: list[bytes]) -> None:
    tail, texts = b"", []
    for part in parts:
        text, used = decode(tail + part)
        texts.append(text)
        tail = (tail + part)[used:]
    whole, used = decode(b"".join(parts))
    assert "".join(texts) == whole
    assert len(tail) == len(b"".join(parts)) - used


def test_bytes_that_are_not_utf8_become_question_marks() -> None:
    assert decode(b"a\xff\xfe\xed\xa0\x80b") == ("a?????b", 7)
    assert decode("é€😀".encode() + b"\xe2\x82") == ("é€😀", 9)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[38;2;1;2;3mx\x1b[m", "x"),
        ("a\x1b[2J\x1b[12;40Hb\x1b[?25l\x1b[5C", "ab"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(B\x1b)0\x1b%Gq\x1b#8", "q"),
        ("\x1b7save\x1b8\x1bM\x1b=\x1b>\x1bc", "save"),
        ("\x1bP1$r0m\x1b\\dcs\x1b_apc\x1b\\", "dcs"),
        ("bell\x07 back\x08 nul\x00 tab\t", "bell back nul tab\t"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("\x1b[3\x1b[1mx", "[3x"),
    ],
)
def test_plain_text(raw: str, expected: str) -> None:
    assert plain(raw) == expected


@given(st.text(alphabet="\x1b[]()0;1mHB\x07\\ ab\r\n", max_size=60), st.integers(0, 60))
def test_plain_text_does_not_depend_on_where_the_output_is_cut(text: str, cut: int) -> None:
    first = settled(text[:cut])
    assert plain(first) + plain(text[len(first) :]) == plain(text)


def test_history_begins_at_a_line_or_at_a_character() -> None:
    assert line_start(b"half\nwhole") == 5
    assert line_start(b"\x82\xacx") == 2
    assert line_start(b"\x80\x80\x80\x80") == 3
    assert line_start(b"") == 0
