"""Old values and what becomes of them, and the paths that lead to more than one place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellar.plugins.servers.agent.patch_trees import edit_json, edit_yaml
from stellar.plugins.servers.agent.patch_values import Choices, Value
from stellar.plugins.servers.agent.patches import apply_patches
from stellar.plugins.servers.spec import ConfigPatch, Scalar

LOCAL = r"regex:^(127\.0\.0\.1|localhost)(:\d{1,5})?$"

BUNGEE = """\
# proxies
servers:
  lobby:
    address: localhost:25566 # here
    motd: 'hi'
  far:
    address: 10.9.8.7:25565
  named:
    address: 127.0.0.1
listeners:
- query_port: 25577
  host: 0.0.0.0:25577
"""


def patched(data: Path, parser: str, before: str, values: Mapping[str, Scalar | dict[str, Scalar]]) -> list[str]:
    (data / "file").write_text(before)
    variables = {"PORT": "25565", "NODE": "172.18.0.1", "RAW": "$1 {{PORT}} ${2}"}
    return apply_patches(data, [ConfigPatch("file", parser, dict(values))], variables)


def test_only_old_values_that_match_become_others(tmp_path: Path) -> None:
    values: dict[str, Scalar | dict[str, Scalar]] = {
        "listeners[0].query_port": "{{PORT}}",
        "listeners[0].host": "0.0.0.0:{{PORT}}",
        "servers.*.address": {LOCAL: "{{NODE}}$2"},
        "servers.lobby.motd": {"bye": "x", "hi": "hello"},
        "servers.nobody.address": {LOCAL: "x"},
    }
    assert patched(tmp_path, "yaml", BUNGEE, values) == []
    wanted = BUNGEE.replace("localhost:25566", '"172.18.0.1:25566"').replace("127.0.0.1", '"172.18.0.1"')
    wanted = wanted.replace("0.0.0.0:25577", '"0.0.0.0:25565"').replace("25577", "25565").replace("'hi'", "'hello'")
    assert (tmp_path / "file").read_text() == wanted


@pytest.mark.parametrize(
    ("parser", "before", "after"),
    [
        ("properties", "a=old\nb = old\n", "a=new\nb = old\n"),
        ("ini", 'a = "old" ; why\nb = old\n', 'a = "new" ; why\nb = old\n'),
        ("file", "a=old\nb = old\n", "new\nb = old\n"),
        ("json", '{"a": "old", "b": "old"}', '{"a": "new", "b": "old"}'),
        ("toml", 'a = "old" # why\nb = "old"\n', 'a = "new" # why\nb = "old"\n'),
    ],
)
def test_every_parser_knows_old_values(tmp_path: Path, parser: str, before: str, after: str) -> None:
    values: dict[str, Scalar | dict[str, Scalar]] = {"a": {"other": "x", "old": "new"}, "b": {"x": "y"}}
    assert patched(tmp_path, parser, before, values) == []
    assert (tmp_path / "file").read_text() == after


@pytest.mark.parametrize("parser", ["properties", "ini", "json", "yaml", "toml"])
def test_a_missing_key_is_not_made_of_choices(tmp_path: Path, parser: str) -> None:
    before = "{}" if parser == "json" else ""
    assert patched(tmp_path, parser, before, {"a": {"": "x", "regex:.*": "y"}, "b.c": {"regex:.*": "y"}}) == []
    assert (tmp_path / "file").read_text() == before


def test_a_value_is_no_template_of_groups(tmp_path: Path) -> None:
    assert patched(tmp_path, "json", '{"a": "xy"}', {"a": {"regex:(x)(y)": "$2$1$$$9${1}"}}) == []
    assert json.loads((tmp_path / "file").read_text()) == {"a": "yx$x"}


@pytest.mark.parametrize("parser", ["properties", "json"])
def test_a_pattern_that_backtracks_for_ever_is_given_up(tmp_path: Path, parser: str) -> None:
    text = "a" * 5000
    before = f'{{"k": "{text}!"}}' if parser == "json" else f"k={text}!"
    [problem] = patched(tmp_path, parser, before, {"k": {r"regex:^(a|a)*$": "x"}})
    assert "too long" in problem
    assert (tmp_path / "file").read_text() == before


@pytest.mark.parametrize("pattern", ["(", "(?R)", "a{99999}{99999}", "x" * 5000])
def test_a_pattern_that_is_refused_leaves_the_file(tmp_path: Path, pattern: str) -> None:
    [problem] = patched(tmp_path, "json", '{"k": "v"}', {"k": {f"regex:{pattern}": "x"}})
    assert problem.startswith("file was left as it is: ")
    assert (tmp_path / "file").read_text() == '{"k": "v"}'


def test_brackets_make_lists_and_stars_reach_every_entry() -> None:
    after, problems = edit_json("", {"a[0].b": Value(1), "a[1].b": Value(2), "a.*.c": Value(3), "a[9].b": Value(4)})
    assert json.loads(after) == {"a": [{"b": 1, "c": 3}, {"b": 2, "c": 3}]}
    assert len(problems) == 1
    after, problems = edit_json('{"a": [1, [2, 3], {"x": 4}]}', {"a[*].0": Value(0), "a[*].x": Value("5", free=True)})
    assert json.loads(after) == {"a": [1, [0, 3], {"x": 5, "0": 0}]}
    assert problems == []


@pytest.mark.parametrize(
    ("before", "raw", "after"),
    [("1", "20", "20"), ("1", "20x", '"20x"'), ("1.5", "2.5", "2.5"), ("true", "False", "false"), ('"1"', "2", '"2"')],
)
def test_a_value_keeps_the_type_of_the_file(before: str, raw: str, after: str) -> None:
    assert edit_json(f'{{"a": {before}}}', {"a": Value(raw)}) == (f'{{"a": {after}}}', [])


paths = st.from_regex(r"([a-c*]|\[(\d|\*)\]|\.){1,8}", fullmatch=True)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(trees.filter(lambda tree: isinstance(tree, dict | list)), paths, st.booleans())
def test_any_path_is_set_or_refused_and_then_stays(tree: object, path: str, choose: bool) -> None:
    text = json.dumps(tree)
    change = Choices({"regex:^a*$": Value("z")}) if choose else Value("9", free=True)
    for edit in (edit_json, edit_yaml):
        after, problems = edit(text, {path: change})
        assert all("\n" not in problem for problem in problems)
        again, same = edit(after, {path: change})
        assert again == after
        assert same == problems or choose
