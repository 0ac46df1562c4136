"""Text that people give things: what is kept of it, and what isn't taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellar.text import shows, tidy


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("  Friday night ", "Friday night"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\u200d\U0001f4bb"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
        ("\u0e17\u0e35\u0e48", "\u0e17\u0e35\u0e48"),
        ("\u05d0\u05b8\u05dc\u05b6\u05e3", "\u05d0\u05b8\u05dc\u05b6\u05e3"),
        ("\u3000wide\u3000", "wide"),
        ("", ""),
    ],
    ids=["spaces", "composed", "joined emoji", "Persian", "Thai", "Hebrew", "wide spaces", "nothing"],
)
def test_what_people_write_is_kept(text: str, kept: str) -> None:
    assert tidy(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "a\u202eb",
        "a\u2066b",
        "a\u200bb",
        "a\u200eb",
        "a\ufeffb",
        "a\u00adb",
        "a\x00b",
        "a\x1bb",
        "a\x7fb",
        "a\x85b",
        "a\nb",
        "a\tb",
        "a\u2028b",
        "\u200da",
        "a\u200d",
        "a\u200d\u200db",
        "a \u200db",
        "a\U000e0041",
        "a\ue000",
        "a\uffff",
        "a" + "\u0301" * 10_000,
        "Z" + "\u0336\u0354\u0321" * 4,
    ],
    ids=lambda text: "-".join(f"{ord(one):x}" for one in text[:4]),
)
def test_what_would_deceive_is_not_taken(text: str) -> None:
    assert tidy(text) is None


def test_lines_may_break_where_that_is_wanted() -> None:
    assert tidy("one\r\ntwo\tthree\n", lines=True) == "one\ntwo\tthree"
    assert tidy("one\rtwo", lines=True) is None
    assert tidy("one\u2028two", lines=True) is None


@pytest.mark.parametrize("text", ["", "\u3164", "\u2800\u2800", "\u115f\u1160", "\uffa0", "\u0301", "\ufe0f", "\u034f"])
def test_nothing_to_see_is_nothing(text: str) -> None:
    assert not shows(text)


@pytest.mark.parametrize("text", ["a", "7", "?", "\U0001f333", "\u0416", "\u3164a"])
def test_something_to_see(text: str) -> None:
    assert shows(text)


@given(st.text())
def test_what_is_kept_stays_as_it_is(text: str) -> None:
    for lines in (False, True):
        kept = tidy(text, lines=lines)
        if kept is not None:
            assert tidy(kept, lines=lines) == kept
            kept.encode()
