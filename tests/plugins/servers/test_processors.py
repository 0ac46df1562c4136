"""Lists of processors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellar.errors import Conflict
from stellar.plugins.servers.processors import check_processors, parse_processors


@pytest.mark.parametrize(
    ("text", "found"), [("", []), ("0", [0]), ("0-2,5", [0, 1, 2, 5]), ("3,1", [3, 1]), ("4095", [4095])]
)
def test_lists_as_the_kernel_reads_them(text: str, found: list[int]) -> None:
    assert parse_processors(text) == found


@pytest.mark.parametrize("text", [",", "a", "-1", "1-", "2-1", "4096", "0-99999", "1 ", "0,,1", "٣", "0\n"])
def test_what_is_no_list(text: str) -> None:
    assert parse_processors(text) is None


@given(st.text("0123456789,- x", max_size=12))
def test_any_text_is_answered(text: str) -> None:
    found = parse_processors(text)
    assert found is None or all(0 <= one < 4096 for one in found)


def test_a_processor_that_is_not_there_is_named() -> None:
    check_processors("0-1", {0, 1})
    check_processors("", {0})
    with pytest.raises(Conflict, match=r"no processor 3 \(it has 0, 1\)"):
        check_processors("0-1,3", {0, 1})
