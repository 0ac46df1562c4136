"""From a blueprint to an egg, and back: nothing changes, whoever wrote the blueprint."""

from __future__ import annotations

import dataclasses
import json

import msgspec
import pytest
from egg_parts import egg, variable
from hypothesis import given, settings
from hypothesis import strategies as st

from stellar.plugins.blueprints.eggs.convert import convert
from stellar.plugins.blueprints.eggs.reading import read_egg
from stellar.plugins.blueprints.eggs.writing import Source, Version, to_table, write_egg
from stellar.plugins.blueprints.format import load
from stellar.plugins.blueprints.service import BUILTIN

VERSIONS: tuple[Version, ...] = ("PTDL_v2", "PLCN_v3")
CHANGED = "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", sorted(path.name for path in BUILTIN.iterdir()))
def test_blueprints_of_our_own_come_back(name: str, version: Version) -> None:
    loaded = load(BUILTIN / name)
    written = write_egg(Source(loaded.blueprint, loaded.icon, None, CHANGED), version)
    again = convert(read_egg(written))
    assert again.loaded.blueprint == loaded.blueprint
    assert again.loaded.icon == loaded.icon


def source(**changes: object) -> Source:
    found = convert(egg(**changes))
    return Source(found.loaded.blueprint, found.loaded.icon, found.table, CHANGED)


def test_the_versions_have_their_own_shapes() -> None:
    made = source(
        meta={"version": "PTDL_v1"}, docker_images=None, image="debian:12", variables=[variable("A", default_value=5)]
    )
    old, new = to_table(made, "PTDL_v2"), to_table(made, "PLCN_v3")
    assert (old["meta"]["version"], new["meta"]["version"]) == ("PTDL_v2", "PLCN_v3")
    assert old["docker_images"] == new["docker_images"] == {"debian:12": "debian:12"}
    assert "image" not in old
    assert "startup_commands" not in old
    assert "startup" not in new
    assert new["startup_commands"] == {"Default": old["startup"]}
    assert json.loads(old["config"]["files"]) == new["config"]["files"]
    assert old["variables"][0]["rules"] == "nullable|string"
    assert new["variables"][0]["rules"] == ["nullable", "string"]
    assert old["variables"][0]["default_value"] == "5"


def test_what_only_the_egg_knows_is_kept() -> None:
    made = source(uuid="some-uuid", tags=["x"], unheard_of={"a": [1]}, variables=[variable("A", sort=3, extra="y")])
    for version in VERSIONS:
        table = read_egg(write_egg(made, version))
        assert (table["uuid"], table["tags"], table["unheard_of"]) == ("some-uuid", ["x"], {"a": [1]})
        assert (table["variables"][0]["sort"], table["variables"][0]["extra"]) == (3, "y")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_changed_blueprint_is_written_as_it_is_now(version: Version) -> None:
    made = source(variables=[variable("HOSTNAME", sort=7), variable("B")], startup="run {{HOSTNAME}}")
    changed = msgspec.structs.replace(
        made.blueprint,
        title="Renamed",
        variables=[msgspec.structs.replace(made.blueprint.variables[0], default="new"), *made.blueprint.variables[1:]],
        resources=msgspec.structs.replace(made.blueprint.resources, cpu_percent=made.blueprint.resources.memory_mb),
    )
    table = to_table(dataclasses.replace(made, blueprint=changed), version)
    assert table["name"] == "Renamed"
    assert table["variables"][0]["env_variable"] == "SERVER_HOSTNAME"
    assert table["variables"][0]["default_value"] == "new"
    assert table["stellar"].keys() >= {"resources"}
    again = convert(read_egg(write_egg(dataclasses.replace(made, blueprint=changed), version)))
    assert again.loaded.blueprint == changed


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"files": "{}", "startup": "{}", "logs": "{}", "stop": False}},
        {"config": {"files": "", "startup": [], "logs": None, "stop": ["stop"]}},
        {"startup": ["one", "two"]},
        {"startup": None, "startup_commands": {"Default": {"": ""}}},
        {"variables": [variable("A", rules=["required|string", "max:20"])]},
    ],
)
def test_odd_shapes_come_back_without_more_than_the_egg(version: Version, changes: dict[str, object]) -> None:
    made = source(**changes)
    table = read_egg(write_egg(made, version))
    assert "stellar" not in table
    assert convert(table).loaded.blueprint == made.blueprint


def test_placeholders_of_ours_are_one_word_elsewhere_too() -> None:
    loaded = load(BUILTIN / "luanti")
    table = to_table(Source(loaded.blueprint, loaded.icon, None, CHANGED), "PTDL_v2")
    assert '"{{SERVER_PORT}}"' in table["startup"]
    assert "{{server.build.env." in table["config"]["files"]


def test_what_another_panel_added_is_checked_like_any_blueprint() -> None:
    from stellar.errors import Invalid

    for hostile in ({"name": "../x"}, {"config": [{"file": "/etc/passwd", "parser": "file", "values": {"a": "b"}}]}):
        with pytest.raises(Invalid):
            convert(egg(stellar=hostile))


ODD_TEXTS = [
    *("", " ", "\r\n", "{{", "{}", "null", "# x", ": ", "- a", "!x", "&a", "*a", "\x7f", "\x85", "\ufeff", " lead"),
    *("a\n b\n", "\nx", "a \nb", "yes", "1e3", "0x10", "1_000", "2020-01-01", "~", "True", "1.", "<<", "\u2028"),
]
VALUES = st.sampled_from([*ODD_TEXTS, None, True, 2**70, 1.5, 1e300])


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(ODD_TEXTS), VALUES | st.text(st.characters(exclude_categories=("Cs",)))))
def test_any_text_survives_yaml(table: dict[str, object]) -> None:
    made = source(unheard_of=table)
    assert read_egg(write_egg(made, "PLCN_v3")).get("unheard_of") == table
