"""XML patches change the text or attribute that they name and nothing else, and believe no entity."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from stellar.plugins.servers.agent.patch_values import Choices, Value
from stellar.plugins.servers.agent.patch_xml import edit_xml
from stellar.plugins.servers.agent.patches import apply_patches
from stellar.plugins.servers.spec import ConfigPatch

TORCH = """\
<?xml version="1.0" encoding="utf-8"?>
<!-- Space Engineers -->
<MyConfigDedicated xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <SessionSettings>
    <GameMode>Creative</GameMode>
    <MaxPlayers>4</MaxPlayers> <!-- few -->
  </SessionSettings>
  <LoadWorld />
  <Mods><Mod name="a">1</Mod><Mod name="b">1</Mod></Mods>
</MyConfigDedicated>
"""


def test_elements_change_and_all_else_stays() -> None:
    after, problems = edit_xml(
        TORCH,
        {
            "MyConfigDedicated.SessionSettings.MaxPlayers": Value("16", free=True),
            "MyConfigDedicated.LoadWorld": Value("Z:\\home & <co>"),
            "MyConfigDedicated.SessionSettings.GameMode": Choices({"Creative": Value("Survival")}),
            "MyConfigDedicated.Mods.Mod[@name='b']": Value("2"),
            "MyConfigDedicated.Mods.Mod[0]": Value("[name='c']"),
            "MyConfigDedicated.ServerPort": Value(27016),
        },
    )
    assert problems == []
    wanted = TORCH.replace(">4<", ">16<").replace("<LoadWorld />", "<LoadWorld>Z:\\home &amp; &lt;co&gt;</LoadWorld>")
    wanted = wanted.replace("Creative", "Survival").replace('"b">1', '"b">2').replace('name="a"', 'name="c"')
    assert after == wanted.replace("</Mods>\n", "</Mods>\n  <ServerPort>27016</ServerPort>\n")


def test_stars_reach_every_element_and_make_none() -> None:
    after, problems = edit_xml("<a><b><c>1</c></b><d><c>2</c></d></a>", {"a.*.c": Value(9), "a.*.x": Value(1)})
    assert (after, problems) == ("<a><b><c>9</c><x>1</x></b><d><c>9</c><x>1</x></d></a>", [])
    assert edit_xml("<a/>", {"a.*.x": Value(1)})[1] == ["“a.*.x” can't be set, because “a” has no such element."]


def test_an_empty_file_gets_its_elements() -> None:
    assert edit_xml("", {"a.b[@id='1'].c": Value("x")}) == ('<a><b id="1"><c>x</c></b></a>\n', [])
    assert edit_xml("", {"a.b": Choices({"x": Value("y")})}) == ("", [])


def test_a_namespace_of_the_parent_is_the_new_elements() -> None:
    after, _ = edit_xml('<a xmlns="urn:x"><b>1</b></a>', {"a.b": Value(2), "a.c": Value(3)})
    assert after == '<a xmlns="urn:x"><b>2</b><c>3</c></a>'


@pytest.mark.parametrize("key", ["", ".", "a..b", "a[", "a[x]", "a b", "1a", "a.b[@c=d]", "a/b", "//b", "a[last()]"])
def test_a_key_that_names_no_element_is_a_problem(key: str) -> None:
    after, problems = edit_xml("<a><b>1</b></a>", {key: Value(2)})
    assert after == "<a><b>1</b></a>"
    assert len(problems) == 1


def test_other_roots_groups_and_characters_are_problems() -> None:
    text = "<a><b><c/></b></a>"
    for key, value in (("x.b", "1"), ("a.b", "1"), ("a.b.c", "\x01")):
        after, [problem] = edit_xml(text, {key: Value(value)})
        assert after == text and key in problem


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(9))


@pytest.mark.parametrize(
    "head",
    [
        f"<!DOCTYPE a [{LAUGHS}]>",
        '<!DOCTYPE a [<!ENTITY l8 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]>',
    ],
)
def test_entities_are_refused(tmp_path: Path, head: str) -> None:
    before = f"{head}<a><b>&l8;</b><c>1</c></a>"
    (tmp_path / "file").write_text(before)
    [problem] = apply_patches(tmp_path, [ConfigPatch("file", "xml", {"a.c": 2})], {})
    assert "isn't valid XML" in problem
    assert (tmp_path / "file").read_text() == before


@pytest.mark.parametrize("broken", ["<a>", "text", "<a/><b/>", "<a>" * 100_000, "\0", '<?xml version="1.0"?>'])
def test_a_broken_file_is_left(tmp_path: Path, broken: str) -> None:
    (tmp_path / "file").write_text(broken)
    [problem] = apply_patches(tmp_path, [ConfigPatch("file", "xml", {"a.c": 2})], {})
    assert "isn't valid XML" in problem
    assert (tmp_path / "file").read_text() == broken


names = st.sampled_from(["a", "b", "c"])
texts = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=8)


@given(st.lists(names, min_size=1, max_size=4), texts, st.booleans())
def test_what_is_set_is_read_back_and_setting_it_again_changes_nothing(path: list[str], text: str, crlf: bool) -> None:
    before = "<a>\n  <b>1</b>\n  <c/>\n</a>\n".replace("\n", "\r\n" if crlf else "\n")
    key = ".".join(["a", *path])
    after, problems = edit_xml(before, {key: Value(text)})
    assert problems == []
    found = etree.fromstring(after).findall("/".join(path))
    assert text.startswith("[") or [element.text or "" for element in found] == [text]
    assert edit_xml(after, {key: Value(text)}) == (after, [])
