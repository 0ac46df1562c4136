"""From bytes to an egg's table: every bomb is refused with a reason, in bounded time."""

from __future__ import annotations

import json

import pytest
from egg_parts import egg
from hypothesis import given, settings
from hypothesis import strategies as st

from stellar.errors import Invalid
from stellar.plugins.blueprints.eggs.convert import load_egg
from stellar.plugins.blueprints.eggs.reading import MAX_EGG, is_egg, read_egg, read_yaml

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)
LONG_LAUGHS = f"a: &a {'x' * 200_000}\nb: [{','.join(['*a'] * 5000)}]\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "has to be a table"),
        (b"[]", "has to be a table"),
        (b"{}", "no known format"),
        (b'{"meta": []}', "no known format"),
        (b'{"meta": {"version": "PTDL_v9"}}', "PTDL_v1, PTDL_v2, PLCN_v1, PLCN_v2, PLCN_v3"),
        (b'{"meta": {"version": ["PTDL_v2"]}}', "no known format"),
        (b"{", "not valid JSON"),
        (b'{"meta": NaN}', "not valid JSON|no known format"),
        (b'{"a": "\\ud800"}', "half of a character|not valid JSON"),
        (b'{"a":' * 100_000, "nested too deeply|not valid JSON"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "nested too deeply|not valid JSON"),
        (b"[" * 100_000, "nested too deeply|not valid JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b"x" * (MAX_EGG + 1), "more than 1024 KiB"),
        (b"meta: &a\n  b: *a\n", "stands for something that holds it"),
        (b"meta: *nothing\n", "or for nothing"),
        (LAUGHS.encode(), "too many values"),
        (LONG_LAUGHS.encode(), "too many values"),
        (b"meta: !!python/object/apply:os.system ['touch bad']\n", "python/object/apply:os.system is not allowed"),
        (b"meta: !php/object 'O:8'\n", "is not allowed"),
        (b"a: " + b"[" * 2000, "nested too deeply"),
        (b"a: [" + b"1," * 100_000 + b"]", "too many values"),
        (b"? [a]\n: b\n", "a key has to be text"),
        (b"a: b: c\n", "line 1"),
        (b"\tx: 1\n", "not valid YAML"),
    ],
)
def test_what_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        read_egg(data)


def test_yaml_as_eggs_are_written() -> None:
    text = (
        "a: yes\nb: 0o7\nc: 2020-01-01\nd: {  }\ne: ~\nf: true\ng: 1.5\nh: -3\ni: !!str 12\nj: '5'\nk: |-\n  x\n  y\n"
    )
    assert read_yaml(text) == {
        "a": "yes",
        "b": "0o7",
        "c": "2020-01-01",
        "d": {},
        "e": None,
        "f": True,
        "g": 1.5,
        "h": -3,
        "i": "12",
        "j": "5",
        "k": "x\ny",
    }
    assert read_yaml("a: &x {b: 1}\nc: {<<: *x, d: 2}\ne: 1\ne: 2\n") == {"a": {"b": 1}, "c": {"b": 1, "d": 2}, "e": 2}
    several = "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y], d: 4}\n"
    assert read_yaml(several)["e"] == {"b": 1, "d": 4}


def test_json_with_a_mark_and_raw_line_feeds() -> None:
    table = egg()
    assert read_egg(b"\xef\xbb\xbf" + json.dumps(table).encode()) == table
    assert read_egg(json.dumps(table).replace("A game.", "A\ngame.").encode())["description"] == "A\ngame."


@pytest.mark.parametrize(
    ("data", "name", "found"),
    [
        (b'{"meta": 1}', "", True),
        (b"  \n{", "", True),
        (b"meta:\n  version: PLCN_v3\n", "", True),
        (b"_comment: x\nmeta: {}\n", "", True),
        (b"anything", "egg.YAML", True),
        (b'format = 1\nname = "x"\n', "", False),
        (b"", "", False),
    ],
)
def test_eggs_are_told_from_blueprints(data: bytes, name: str, found: bool) -> None:
    assert is_egg(data, name) is found


@settings(max_examples=80, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore"))))
def test_anything_is_read_or_refused(data: bytes) -> None:
    for prefix in (b"", b"{", b"meta: "):
        try:
            load_egg(prefix + data)
        except Invalid as error:
            assert error.message
