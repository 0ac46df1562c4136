"""Config-file patches change the values that they name and nothing else."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patch_parts import Patch, Scalars, content
from ruamel.yaml import YAML as Reader

from stellar.plugins.servers.agent.patch_lines import edit_ini, edit_properties
from stellar.plugins.servers.agent.patch_values import Value
from stellar.plugins.servers.agent.patches import PARSERS, apply_patches
from stellar.plugins.servers.spec import ConfigPatch

PROPERTIES = """\
#Minecraft server properties
! another comment
server-port=1
motd=old
# server-port=2
path=a\\
  server-port=3
spaced = yes
colon:1

"""


def test_properties_keep_comments_order_and_spacing(patch: Patch, data: Path) -> None:
    values: Scalars = {
        "server-port": "{{SERVER_PORT}}",
        "motd": "{{NAME}}",
        "path": "b",
        "spaced": True,
        "colon": 2,
        "new": 3,
    }
    assert patch("server.properties", "properties", PROPERTIES, values) == []
    assert (
        content(data, "server.properties")
        == """\
#Minecraft server properties
! another comment
server-port=25565
motd=My Server: fun & games
# server-port=2
path=b
spaced = true
colon:2

new=3
"""
    )


LUANTI = '''\
#    Port of the server.
#    type: int
# port = 30000
name = admin
secure.trusted_mods =
text = """
port = 1
"""
group = {
    port = 2
    inner = {
        port = 3
    }
}
motd = hi'''


def test_luanti_conf_keeps_its_blocks(patch: Patch, data: Path) -> None:
    values: Scalars = {"port": "{{SERVER_PORT}}", "secure.trusted_mods": "irc", "motd": "{{NAME}}"}
    assert patch("minetest.conf", "properties", LUANTI, values) == []
    expected = LUANTI.replace("trusted_mods =", "trusted_mods = irc").replace("= hi", "= My Server: fun & games")
    assert content(data, "minetest.conf") == f"{expected}\nport = 25565"
    assert patch("minetest.conf", "properties", None, {"text": "short", "group": "gone"}) == []
    assert '"""' not in content(data, "minetest.conf")
    assert "inner" not in content(data, "minetest.conf")
    assert "\ntext = short\ngroup = gone\nmotd" in content(data, "minetest.conf")


def test_a_block_that_is_never_closed_is_one_line(patch: Patch, data: Path) -> None:
    assert patch("a.conf", "properties", 'x = """\ny = {\nport = 1\n', {"port": 2, "x": 3}) == []
    assert content(data, "a.conf") == "x = 3\ny = {\nport = 2\n"


@pytest.mark.parametrize("template", ["{{LINES}}", "a\nb", "a\0", "{{TAIL}}", "{", '"""x'])
def test_a_value_cannot_add_or_swallow_lines(patch: Patch, data: Path, template: str) -> None:
    [problem] = patch("a.conf", "properties", "key=1\nother=2\n", {"key": template, "other": 3})
    assert "key" in problem
    assert content(data, "a.conf") == "key=1\nother=3\n"


def test_line_ends_of_windows_and_other_encodings_stay(patch: Patch, data: Path) -> None:
    assert patch("a.properties", "properties", b"a=1\r\nname=caf\xe9\r\n", {"a": "é", "b": 2}) == []
    assert (data / "a.properties").read_bytes() == b"a=\xe9\r\nname=caf\xe9\r\nb=2\r\n"
    [problem] = patch("a.properties", "properties", None, {"a": "日本"})
    assert "UTF-8" in problem
    assert patch("b.ini", "ini", b"\xef\xbb\xbf[s]\r\na=1\r\n", {"s.a": 2}) == []
    assert (data / "b.ini").read_bytes() == b"\xef\xbb\xbf[s]\r\na=2\r\n"


@pytest.mark.parametrize("value", ["\u2028", "\u2028x", "\u00a0x\u00a0", "\u3000", "\x85", "\ufeff"])
@pytest.mark.parametrize("parser", ["properties", "ini", "json", "yaml", "toml", "xml"])
def test_no_odd_space_of_a_value_is_changed_or_stays(patch: Patch, data: Path, parser: str, value: str) -> None:
    key = "c.k" if parser in ("xml", "ini") else "k"
    assert patch("a", parser, "[c]\n" if parser == "ini" else "", {key: "first"}) == []
    before = content(data, "a")
    assert patch("a", parser, None, {key: value}) == []
    if parser != "yaml":
        assert content(data, "a") in (before.replace("first", value), before.replace("first", json.dumps(value)[1:-1]))
    else:
        assert Reader(typ="safe").load(content(data, "a")) == {"k": value}
    assert patch("a", parser, None, {key: "first"}) == []
    assert content(data, "a").replace('"', "") == before.replace('"', "")


INI = """\
; top
global = 1

[Server]
Port = 1 ; the port
Name = "a ; b" ; quoted
# Port = 2

[/Script/Game.Settings]
Rate=1.0
[server]
PORT=3
"""


def test_ini_keeps_comments_and_sections(patch: Patch, data: Path) -> None:
    values: Scalars = {
        "global": 2,
        "first": "x",
        "Server.Port": "{{SERVER_PORT}}",
        "Server.Name": "n",
        "Server.Slots": 8,
        "/Script/Game.Settings.Rate": 2.5,
        "New.key": True,
    }
    assert patch("a.ini", "ini", INI, values) == []
    assert (
        content(data, "a.ini")
        == """\
; top
global = 2
first = x

[Server]
Port = 25565 ; the port
Name = "n" ; quoted
# Port = 2
Slots = 8

[/Script/Game.Settings]
Rate=2.5
[server]
PORT=25565

[New]
key = true
"""
    )


def test_ini_sections_and_keys_may_hold_dots(patch: Patch, data: Path) -> None:
    before = "[/Script/Game.Settings]\nRate=1\n[server]\nname.long=a\nlist[0].x=1\n"
    values: Scalars = {
        "[/Script/Game.Settings].Rate": 2,
        "[server].name.long": "b",
        "[server].list[0].x": 3,
        "[n.w].k": 4,
    }
    assert patch("a.ini", "ini", before, values) == []
    after = "[/Script/Game.Settings]\nRate=2\n[server]\nname.long=b\nlist[0].x=3\n\n[n.w]\nk=4\n"
    assert content(data, "a.ini") == after


def test_json_keeps_indentation_types_and_all_else(patch: Patch, data: Path) -> None:
    before = """\
{
    "port": 1,
    "list": [
        {"a": 1}
    ],
    "text": "5",
    "né": null,
    "dot.ted": 1
}
"""
    values: Scalars = {
        "port": "{{SERVER_PORT}}",
        "list.0.a": "{{CODE}}",
        "text": "{{SERVER_PORT}}",
        "online.mode": "{{ONLINE}}",
        "né": "x{{SERVER_PORT}}",
        "dot\\.ted": 2.5,
    }
    assert patch("a.json", "json", before, values) == []
    after = content(data, "a.json")
    assert after.startswith('{\n    "port": 25565,\n    "list"')
    assert after.endswith("}\n")
    assert json.loads(after) == {
        "port": 25565,
        "list": [{"a": "007"}],
        "text": "25565",
        "né": "x25565",
        "dot.ted": 2.5,
        "online": {"mode": False},
    }
    assert '"né"' in after


def test_json_on_one_line_stays_there(patch: Patch, data: Path) -> None:
    assert patch("a.json", "json", '{"a":1,"b":[1,2]}', {"a": 2}) == []
    assert content(data, "a.json") == '{"a":2,"b":[1,2]}'
    assert patch("b.json", "json", '{"a": 1, "b": [1, 2]}\n', {"b.1": 3}) == []
    assert content(data, "b.json") == '{"a": 1, "b": [1, 3]}\n'


def test_a_key_that_has_no_place_is_a_problem_of_its_own(patch: Patch, data: Path) -> None:
    problems = patch("a.json", "json", '{"a": 1, "b": [], "c": {}}', {"a.x": 1, "b.0": 1, "c": 1, "d": 1})
    assert len(problems) == 3
    assert json.loads(content(data, "a.json")) == {"a": 1, "b": [], "c": {}, "d": 1}


YAML = """\
# Paper
settings:
    port: 1  # the port
    name: 'old'
    list:
      - a: 1
      - b
    empty:
other: "x" # tail
"""


def test_yaml_keeps_comments_quotes_and_indentation(patch: Patch, data: Path) -> None:
    values: Scalars = {
        "settings.port": "{{SERVER_PORT}}",
        "settings.name": "it's",
        "settings.list.0.a": 2,
        "settings.empty.deep": "{{ONLINE}}",
        "other": "{{NAME}}",
        "word": "yes",
        "code": "{{CODE}}",
    }
    assert patch("a.yml", "yaml", YAML, values) == []
    assert (
        content(data, "a.yml")
        == """\
# Paper
settings:
    port: 25565 # the port
    name: 'it''s'
    list:
      - a: 2
      - b
    empty:
        deep: false
other: "My Server: fun & games" # tail
word: "yes"
code: "007"
"""
    )


def test_yaml_of_comments_or_with_a_document_mark(patch: Patch, data: Path) -> None:
    assert patch("a.yml", "yaml", "# only\n# comments", {"a.b": 1}) == []
    assert content(data, "a.yml") == "# only\n# comments\na:\n  b: 1\n"
    assert patch("b.yml", "yaml", "# head\n---\na: 1\r\n", {"a": 2}) == []
    assert content(data, "b.yml") == "# head\n---\na: 2\r\n"


TOML = """\
# top
port = 1 # the port
name   = "old"
[world]
seed = 1
[world.gen]
kind = "flat"
"""


def test_toml_keeps_comments_and_spacing(patch: Patch, data: Path) -> None:
    values: Scalars = {
        "port": "{{SERVER_PORT}}",
        "name": "{{NAME}}",
        "world.gen.kind": "{{ONLINE}}",
        "world.size": 3,
        "new.table.key": 1.5,
        "top": True,
    }
    assert patch("a.toml", "toml", TOML, values) == []
    after = content(data, "a.toml")
    assert after.startswith('# top\nport = 25565 # the port\nname   = "My Server: fun & games"\n')
    assert tomllib.loads(after) == {
        "port": 25565,
        "name": "My Server: fun & games",
        "world": {"seed": 1, "gen": {"kind": "false"}, "size": 3},
        "new": {"table": {"key": 1.5}},
        "top": True,
    }


def test_lines_are_replaced_by_how_they_begin(patch: Patch, data: Path) -> None:
    before = "sv_port 1\n// sv_port 2\nsv_name old\n"
    values: Scalars = {"sv_port": "sv_port {{SERVER_PORT}}", "sv_missing": "x"}
    [problem] = patch("a.cfg", "file", before, values)
    assert "sv_missing" in problem
    assert content(data, "a.cfg") == "sv_port 25565\n// sv_port 2\nsv_name old\n"


@pytest.mark.parametrize(
    ("parser", "key", "expected"),
    [
        ("properties", "a.b", "a.b=25565\n"),
        ("ini", "a.b", "[a]\nb=25565\n"),
        ("json", "a.b", '{\n  "a": {\n    "b": 25565\n  }\n}\n'),
        ("yaml", "a.b", "a:\n  b: 25565\n"),
        ("toml", "a.b", "[a]\nb = 25565\n"),
    ],
)
def test_a_missing_file_is_made_with_its_folder(patch: Patch, data: Path, parser: str, key: str, expected: str) -> None:
    assert patch("deep/er/file", parser, None, {key: "{{SERVER_PORT}}"}) == []
    assert content(data, "deep/er/file") == expected
    (data / "deep/er/file").write_text("")
    assert patch("deep/er/file", parser, None, {key: "{{SERVER_PORT}}"}) == []
    assert content(data, "deep/er/file") == expected


def test_a_file_that_is_one_value(patch: Patch, data: Path) -> None:
    assert patch("port.ini", "file", "8005", {"": "{{SERVER_PORT}}"}) == []
    assert content(data, "port.ini") == "25565"


def test_a_missing_file_of_lines_is_a_problem(patch: Patch, data: Path) -> None:
    [problem] = patch("a.cfg", "file", None, {"x": "x 1"})
    assert "a.cfg" in problem
    assert list(data.iterdir()) == []


@pytest.mark.parametrize("parser", sorted(PARSERS))
def test_nothing_is_written_when_nothing_changes(patch: Patch, data: Path, parser: str) -> None:
    text = {"json": '{ "a" :   1 }', "yaml": "a:   1", "toml": "a   =  1", "file": "a=1\r\n"}.get(parser, "a  =  1")
    text = "<a >1</a>" if parser == "xml" else text
    file = data / "file"
    file.write_text(text)
    before = file.stat()
    assert patch("file", parser, None, {"a": "a=1" if parser == "file" else 1}) == []
    assert file.read_bytes() == text.encode()
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_unknown_variable_leaves_its_key(patch: Patch, data: Path) -> None:
    problems = patch("a.json", "json", "{}", {"a": "{{HOME}}", "b": "{{ SERVER_IP }}:{{SERVER_PORT}}", "c": "{{NAME"})
    assert problems == ["a.json: “a” was left as it is, there is no variable HOME."]
    assert json.loads(content(data, "a.json")) == {"b": "0.0.0.0:25565", "c": "{{NAME"}


def test_a_value_is_not_a_template_again(data: Path) -> None:
    patches = [ConfigPatch(file="a", parser="properties", values={"a": "{{X}}"})]
    assert apply_patches(data, patches, {"X": "{{Y}}", "Y": "secret"}) == []
    assert content(data, "a") == "a={{Y}}\n"


def test_an_unknown_parser_and_a_missing_root(patch: Patch, tmp_path: Path) -> None:
    [problem] = patch("a.csv", "csv", None, {"a": 1})
    assert "csv" in problem
    assert "properties" in problem
    patches = [ConfigPatch(file="a", parser="json", values={"a": 1})]
    assert len(apply_patches(tmp_path / "gone", patches, {})) == 1


def test_the_mode_stays(patch: Patch, data: Path) -> None:
    (data / "a.properties").touch(mode=0o600)
    assert patch("a.properties", "properties", "a=1\n", {"a": 2}) == []
    assert stat.S_IMODE((data / "a.properties").stat().st_mode) == 0o600


lines = st.lists(
    st.sampled_from(["a=1", " a = 1", "#a=1", "", "b", "a\\", "[s]", "[t]", "}", "g = {", 't = """', '"""', "x\r"])
)


@given(lines, st.booleans())
def test_other_lines_never_change(before: list[str], closed: bool) -> None:
    text = "\n".join(before) + "\n" * closed
    for edit, key in ((edit_properties, "zz"), (edit_ini, "s.zz")):
        after, problems = edit(text, {key: Value("9")})
        assert problems == []
        assert after.replace("\r", "").count("zz") == 1
        kept = [line for line in after.replace("\r", "").split("\n") if line and "zz" not in line]
        expected = [line for line in text.replace("\r", "").split("\n") if line]
        assert kept[: len(expected)] == expected
        assert edit(after, {key: Value("9")}) == (after, [])
