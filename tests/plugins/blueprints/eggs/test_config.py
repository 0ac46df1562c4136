"""The config files that an egg patches."""

from __future__ import annotations

import json

import pytest
from egg_parts import blueprint, egg, files, notes

from stellar.plugins.blueprints.eggs.config import key_out
from stellar.plugins.blueprints.eggs.convert import convert


def test_a_config_value_of_a_variable_that_is_not_there_is_empty() -> None:
    changes = files("a.json", {"a": "x{{server.build.env.NOPE}}"})
    assert blueprint(**changes).config[0].values == {"a": "x"}
    assert "NOPE" in notes(**changes)["config.files.a.json.find.a"]


def test_values_of_config_files() -> None:
    find = {
        "a": True,
        "b": 5,
        "c": None,
        "servers.*.address": {"regex:^(127.0.0.1)(:\\d+)?$": "{{config.docker.interface}}$2", "x": 1},
        "d": ["list"],
        "e": {"x": {"y": "z"}},
        "": "nameless",
        "\tindented": "kept",
        "f": 1e400,
    }
    found = convert(egg(**files("/./dir/a.yml", find, "YML")))
    patch = found.loaded.blueprint.config[0]
    assert (patch.file, patch.parser) == ("dir/a.yml", "yaml")
    assert patch.values == {
        "a": True,
        "b": 5,
        "c": "",
        "servers.*.address": {"regex:^(127.0.0.1)(:\\d+)?$": "{{STELLAR_NODE_IP}}$2", "x": 1},
        "\tindented": "kept",
    }
    prefix = "config.files././dir/a.yml.find."
    assert {note.path.removeprefix(prefix) for note in found.report.notes} == {"d", "e", "", "f"}


@pytest.mark.parametrize("name", ["../x", "a/../../x", "", "/", "..", "a\\..\\b", "~/x", "a\0b", "x" * 300])
def test_a_config_file_elsewhere_is_left_out(name: str) -> None:
    changes = files(name, {"a": "b"})
    assert blueprint(**changes).config == []
    assert f"config.files.{name}"[:300] in [path.rstrip("…") for path in notes(**changes)]


def test_an_empty_name_is_how_every_line_of_a_file_begins() -> None:
    changes = files("port.ini", {"": "{{server.allocations.default.port}}"}, "file")
    assert blueprint(**changes).config[0].values == {"": "{{SERVER_PORT}}"}
    assert notes(**changes) == {}


def test_paths_and_whole_numbers_of_config_files_are_read_as_their_panels_do() -> None:
    find = {"controller~1http_port": "8080", "a~0b.c": "x", "listeners[0].port": "{{server.build.default.port}}"}
    files = {"a.json": {"parser": "json", "find": find}, "b.cfg": {"parser": "file", "find": {"a~1b": "1"}}}
    tree, lines = convert(egg(config={"files": json.dumps(files)})).loaded.blueprint.config
    assert tree.values == {"controller\\.http_port": 8080, "a~b.c": "x", "listeners[0].port": "{{SERVER_PORT}}"}
    assert lines.values == {"a~1b": "1"}
    assert [key_out("json", key) for key in tree.values] == list(find)


def test_sections_of_ini_files_are_read_as_their_panels_do() -> None:
    find = {"[/Script/Engine.GameSession].MaxPlayers": "8", "server.name.long": "x", "server.port": "1", "top": "2"}
    files = {"a.ini": {"parser": "ini", "find": find}}
    [patch] = convert(egg(config={"files": json.dumps(files)})).loaded.blueprint.config
    assert list(patch.values) == ["[/Script/Engine.GameSession].MaxPlayers", "[server].name.long", "server.port", "top"]
    assert key_out("ini", "/Script/Engine.GameSession.MaxPlayers") == "[/Script/Engine.GameSession].MaxPlayers"
    assert key_out("ini", "[server].name.long") == "[server].name.long"
