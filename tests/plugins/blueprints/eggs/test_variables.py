"""The variables of an egg: rules in every form, defaults, and names that can't stay."""

from __future__ import annotations

from typing import Any

import pytest
from egg_parts import blueprint, egg, files, notes, variable

from stellar.plugins.blueprints.eggs.convert import convert


@pytest.mark.parametrize(
    ("given", "rules"),
    [
        ("required|string|", "required|string"),
        (["required", "regex:/^(a|b)$/", "max:5"], "required|regex:/^(a|b)$/|max:5"),
        ({}, ""),
        ([], ""),
        (None, ""),
        ({"0": "required", "1": "int"}, "required|integer"),
        ("required | alphaDash|Max:20", "required|alpha_dash|max:20"),
        ("required|exists:users,id", "required"),
        ("required|regex:/[/|max:3", "required|max:3"),
        (["in:a|b", "string"], "string"),
        (["required|string", "regex:/^(a|b)$/"], "required|string|regex:/^(a|b)$/"),
        (["required|in:a,b|max:5"], "required|in:a,b|max:5"),
    ],
)
def test_rules(given: Any, rules: str) -> None:
    table = [variable("A", rules=given)]
    assert blueprint(variables=table).variables[0].rules == rules
    known = {"required|exists:users,id", "required|regex:/[/|max:3"}
    assert ("variables.A.rules" in notes(variables=table)) is (given in list(known) or given == ["in:a|b", "string"])


@pytest.mark.parametrize(
    ("given", "rules", "default"),
    [
        (3000, "integer", "3000"),
        (1.0, "numeric", "1"),
        (0.5, "numeric", "0.5"),
        (None, "string", ""),
        (True, "boolean", "1"),
        (False, "required|boolean", "0"),
        (False, "required|string|in:true,false", "false"),
        (True, "in:True,False", "True"),
        (True, "string", "true"),
        (["a"], "string", '["a"]'),
        ("a\r\nb", "string", "a\nb"),
        ("a\0\x1b[mb", "string", "a[mb"),
        ("$(id) `id` {{config.token}}", "string", "$(id) `id` {{config.token}}"),
    ],
)
def test_defaults(given: Any, rules: str, default: str) -> None:
    assert blueprint(variables=[variable("A", default_value=given, rules=rules)]).variables[0].default == default


def test_a_default_against_its_rules_is_kept_and_listed() -> None:
    table = [variable("A", default_value="change me", rules="required|integer")]
    assert blueprint(variables=table).variables[0].default == "change me"
    assert "must be a whole number" in notes(variables=table)["variables.A.default_value"]


def test_a_name_in_small_letters_is_also_found_in_capitals() -> None:
    install = {"installation": {"script": "echo $TOKEN", "container": "a", "entrypoint": "bash"}}
    table = [variable("token"), variable("a"), variable("A"), variable("server_port")]
    line = "run {{TOKEN}} {{token}} $TOKEN {{a}} {{A}} {{SERVER_PORT}}"
    found = blueprint(startup=line, variables=table, scripts=install)
    assert [one.env for one in found.variables] == ["token", "a", "A", "SERVER_server_port"]
    assert found.startup.command == "run {{token}} {{token}} $token {{a}} {{A}} {{SERVER_PORT}}"
    assert found.install.script == 'export TOKEN="${token}"\necho $TOKEN'


def test_the_last_of_two_variables_counts() -> None:
    table = [variable("A", default_value="1"), variable("B"), variable("A", default_value="2")]
    found = blueprint(variables=table).variables
    assert [(one.env, one.default) for one in found] == [("A", "2"), ("B", "")]
    assert "twice" in notes(variables=table)["variables.A"]


@pytest.mark.parametrize(
    ("name", "env"),
    [
        ("lower_case", "lower_case"),
        ("SERVER_PORT", "SERVER_SERVER_PORT"),
        ("SERVER_MEMORY", "SERVER_SERVER_MEMORY"),
        ("STARTUP", "SERVER_STARTUP"),
        ("P_SERVER_UUID", "SERVER_P_SERVER_UUID"),
        ("P_SERVER_LOCATION", "SERVER_P_SERVER_LOCATION"),
        ("HOSTNAME", "SERVER_HOSTNAME"),
        ("TZ", "SERVER_TZ"),
        ("uuid", "SERVER_uuid"),
        ("PATH", "SERVER_PATH"),
        ("LD_PRELOAD", "SERVER_LD_PRELOAD"),
        ("SERVER_PORT_QUERY", "SERVER_SERVER_PORT_QUERY"),
        ("STELLAR_NODE_IP", "SERVER_STELLAR_NODE_IP"),
        ("MY-VAR", "MY_VAR"),
        ("1ST", "_1ST"),
        ("é", "SERVER__"),
        ("a\nb", "a_b"),
    ],
)
def test_names(name: str, env: str) -> None:
    found = convert(egg(variables=[variable(name)], startup="run"))
    assert found.loaded.blueprint.variables[0].env == env
    assert bool(found.report.notes) is (env != name)


def test_a_renamed_variable_does_not_meet_another() -> None:
    found = blueprint(variables=[variable("HOSTNAME"), variable("SERVER_HOSTNAME")]).variables
    assert [one.env for one in found] == ["SERVER_HOSTNAME_2", "SERVER_HOSTNAME"]


def test_a_renamed_variable_is_renamed_everywhere() -> None:
    table = egg(
        variables=[variable("HOSTNAME"), variable("TZ"), variable("HOST")],
        startup='run {{HOSTNAME}} $HOSTNAME ${HOSTNAME:-x} "$HOSTNAMES" {{HOST}} HOSTNAME',
        **files("a.json", {"name": "{{server.build.env.HOSTNAME}}", "port": "{{env.SERVER_PORT}}"}),
    )
    table["scripts"]["installation"]["script"] = "#!/bin/bash\necho $HOSTNAME ${TZ}\n"
    found = convert(table).loaded.blueprint
    assert found.startup.command == (
        'export TZ="${SERVER_TZ}"; run {{SERVER_HOSTNAME}} $SERVER_HOSTNAME ${SERVER_HOSTNAME:-x} "$HOSTNAMES" '
        "{{HOST}} HOSTNAME"
    )
    assert found.config[0].values == {"name": "{{SERVER_HOSTNAME}}", "port": "{{SERVER_PORT}}"}
    assert found.install.script == (
        '#!/bin/bash\nexport HOSTNAME="${SERVER_HOSTNAME}"\nexport TZ="${SERVER_TZ}"\necho $HOSTNAME ${TZ}\n'
    )
