"""From a blueprint to an egg. What came with the egg that it was imported from stays as it was written there."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from stellar.errors import Invalid

from ..beside import Icon
from ..render import NUMERIC, PLACEHOLDER
from ..rules import split
from ..shell import shell_references
from ..structs import Blueprint, Scalar, Startup, Variable
from .config import key_out
from .convert import EXTENSION, convert
from .placeholders import spelled
from .report import Report
from .values import embedded, listing, mapping, text

Version = Literal["PTDL_v2", "PLCN_v3"]

COMMENT = "DO NOT EDIT: FILE GENERATED AUTOMATICALLY BY STELLAR"
SHELL_IMAGE = "debian:12-slim"
"""What a blueprint's install script is run in elsewhere, where it names no image."""

_TOGETHER = ("startup", "variables", "config", "install", "stop")
"""They name the same variables: when one has changed, all are written anew."""
_ORDER = [
    "_comment",
    "meta",
    "exported_at",
    "name",
    "author",
    "uuid",
    "description",
    "image",
    "tags",
    "features",
    "docker_images",
    "file_denylist",
    "startup",
    "startup_commands",
    "config",
    "scripts",
    "variables",
]

_ODD = re.compile(r"[\r\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_NO_BLOCK = re.compile(r"[ \t]\n|^\s")


@dataclass(frozen=True)
class Source:
    """What is exported: a blueprint, its icon, the egg that it was imported from if it was, and when it changed."""

    blueprint: Blueprint
    icon: Icon
    egg: dict[str, Any] | None
    changed: str


def write_egg(source: Source, version: Version) -> bytes:
    """An egg of that version: JSON for Pterodactyl (``PTDL_v2``), YAML for Pelican (``PLCN_v3``)."""
    table = to_table(source, version)
    if version == "PTDL_v2":
        return (json.dumps(table, indent=4, ensure_ascii=False) + "\n").encode()
    buffer = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 2**20
    yaml.dump(_in_blocks(table), buffer)
    return buffer.getvalue().encode()


def to_table(source: Source, version: Version) -> dict[str, Any]:
    """An egg's table. What an egg can't say of the blueprint is under ``stellar``, which other panels pass over."""
    table = _merged(source)
    table = _as_pterodactyl(table) if version == "PTDL_v2" else _as_pelican(table)
    table["meta"] = {**mapping(table.get("meta")), "version": version}
    if left := _unsaid(source.blueprint, table):
        table[EXTENSION] = left
    names = [*_ORDER, *(name for name in table if name not in _ORDER)]
    return {name: table[name] for name in names if name in table}


def _merged(source: Source) -> dict[str, Any]:
    """The egg that it was, with the parts written anew that have changed since."""
    new = _new(source)
    if source.egg is None:
        return new
    table = {key: value for key, value in source.egg.items() if key != EXTENSION}
    before = convert(source.egg).loaded
    now, then = source.blueprint, before.blueprint
    for field, key in (("title", "name"), ("description", "description"), ("author", "author")):
        if getattr(now, field) != getattr(then, field):
            table[key] = new[key]
    if now.features != then.features:
        table["features"] = new["features"]
    if now.denylist != then.denylist:
        table["file_denylist"] = new["file_denylist"]
    if now.update_url != then.update_url:
        table["meta"] = {**mapping(table.get("meta")), **new["meta"]}
    if now.runtimes != then.runtimes:
        table = {key: value for key, value in table.items() if key != "images"} | {
            "docker_images": new["docker_images"]
        }
    if source.icon != before.icon:
        table["image"] = new.get("image")
    if any(getattr(now, field) != getattr(then, field) for field in _TOGETHER):
        table.pop("startup", None)
        old = {
            text(entry.get("env_variable")): entry
            for entry in listing(table.get("variables"))
            if isinstance(entry, dict)
        }
        table |= {key: new[key] for key in ("startup_commands", "config", "scripts")}
        table["variables"] = [old.get(entry["env_variable"], {}) | entry for entry in new["variables"]]
    return table


def _new(source: Source) -> dict[str, Any]:
    """An egg of nothing but the blueprint, as the newest version has it."""
    blueprint = source.blueprint
    docker = blueprint.runtimes.docker
    table: dict[str, Any] = {
        "_comment": COMMENT,
        "meta": {"update_url": blueprint.update_url},
        "exported_at": source.changed,
        "name": blueprint.title,
        "author": blueprint.author,
        "description": blueprint.description,
        "tags": [blueprint.category],
        "features": blueprint.features,
        "docker_images": {found.name: found.image for found in docker.images} if docker else {},
        "file_denylist": blueprint.denylist,
        "startup_commands": _commands(blueprint.startup),
        "config": {
            "files": {
                patch.file: {
                    "parser": patch.parser,
                    "find": {key_out(patch.parser, key): _value(value) for key, value in patch.values.items()},
                }
                for patch in blueprint.config
            },
            "startup": {
                "done": blueprint.startup.done[0] if len(blueprint.startup.done) == 1 else blueprint.startup.done
            },
            "logs": {},
            "stop": blueprint.stop.command or f"^{blueprint.stop.signal}".replace("^SIGINT", "^C"),
        },
        "scripts": {
            "installation": {
                "script": _script(blueprint.install.script),
                "container": blueprint.install.image or SHELL_IMAGE,
                "entrypoint": blueprint.install.shell,
            }
        },
        "variables": [_variable(found, at) for at, found in enumerate(blueprint.variables, 1)],
    }
    if "." in blueprint.icon:
        table["image"] = f"data:{source.icon.media_type};base64,{base64.b64encode(source.icon.data).decode()}"
    return table


def _commands(startup: Startup) -> dict[str, str]:
    commands = {"Default": startup.command} | {choice.name: choice.command for choice in startup.choices}
    return commands if startup.shell == "bash" else {name: _quoted(line) for name, line in commands.items()}


def _quoted(line: str) -> str:
    """Elsewhere a placeholder is split into words: here it is one, so it gets the quotes that it lacks."""
    try:
        return shell_references(line, PLACEHOLDER, NUMERIC, "{{%s}}")
    except Invalid:
        return line


def _value(value: Scalar | dict[str, Scalar]) -> Any:
    if isinstance(value, dict):
        return {old: _value(new) for old, new in value.items()}
    return PLACEHOLDER.sub(lambda found: f"{{{{{spelled(found[1])}}}}}", value) if isinstance(value, str) else value


def _script(script: str) -> str:
    """A script of ours begins in the server's folder, which is ``/mnt/server`` elsewhere; one of an egg goes there."""
    return script if not script or "/mnt/server" in script else f"#!/bin/sh\ncd /mnt/server || exit 1\n{script}"


def _variable(variable: Variable, sort: int) -> dict[str, Any]:
    return {
        "name": variable.label,
        "description": variable.description,
        "env_variable": variable.env,
        "default_value": variable.default,
        "user_viewable": variable.user_viewable,
        "user_editable": variable.user_editable,
        "rules": [f"{name}:{argument}" if argument else name for name, argument in split(variable.rules)],
        "sort": sort,
    }


def _as_pterodactyl(table: dict[str, Any]) -> dict[str, Any]:
    """JSON in text where Pterodactyl has it, one start-up command, rules as one text."""
    table = _with_images(table)
    commands = table.get("startup_commands")
    if isinstance(commands, dict) and commands:
        table["startup"] = text(next(iter(commands.values())))
        if list(commands) == ["Default"]:
            del table["startup_commands"]
    elif isinstance(commands, list) and commands and not table.get("startup"):
        table["startup"] = text(commands[0])
    config = mapping(embedded(table.get("config"), "config", Report()))
    table["config"] = {
        key: value if isinstance(value, str) else _stop(value) if key == "stop" else _json(value)
        for key, value in config.items()
    }
    table["variables"] = [
        {"field_type": "text"}
        | entry
        | {"rules": _rules_text(entry.get("rules")), "default_value": _default_text(entry)}
        for entry in _entries(table)
    ]
    return table


def _as_pelican(table: dict[str, Any]) -> dict[str, Any]:
    """Plain tables everywhere, named start-up commands, rules as lists."""
    table = _with_images(table)
    if not table.get("startup_commands"):
        startup = table.get("startup")
        table["startup_commands"] = startup if isinstance(startup, (dict, list)) else {"Default": startup}
    table.pop("startup", None)
    config = mapping(embedded(table.get("config"), "config", Report()))
    table["config"] = {key: _plain(key, value) for key, value in config.items()}
    table["variables"] = [entry | {"rules": _rules_list(entry.get("rules"))} for entry in _entries(table)]
    return table


def _with_images(table: dict[str, Any]) -> dict[str, Any]:
    """``docker_images``, where an older egg has ``images`` or ``image``."""
    table = dict(table)
    if not table.get("docker_images"):
        image = table.get("image")
        is_picture = text(image).lower().startswith(("data:", "http:", "https:"))
        given = table.pop("images", None) or (table.pop("image", None) if not is_picture else None)
        table["docker_images"] = given if isinstance(given, dict) else {text(one): one for one in listing(given)}
    return table


def _entries(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = embedded(table.get("variables"), "variables", Report())
    return [entry for entry in listing(given) if isinstance(entry, dict)]


def _plain(key: str, value: Any) -> Any:
    if key == "stop" or not isinstance(value, str) or not value.strip():
        return value
    report = Report()
    read = embedded(value, key, report)
    return value if report.notes else read


def _stop(value: Any) -> str | None:
    return None if value is None else text(value)


def _json(value: Any) -> str:
    return json.dumps(value, indent=4, ensure_ascii=False) if value not in (None, [], {}) else "{}"


def _rules_text(rules: Any) -> str:
    return rules if isinstance(rules, str) else "|".join(map(text, listing(rules)))


def _rules_list(rules: Any) -> list[Any]:
    if not isinstance(rules, str):
        return listing(rules)
    try:
        return [f"{name}:{argument}" if argument else name for name, argument in split(rules)]
    except Invalid:
        return [rule for rule in rules.split("|") if rule]


def _default_text(entry: dict[str, Any]) -> Any:
    """Pterodactyl wants text; a truth value is left to whoever imports it, as its meaning depends on the rules."""
    value = entry.get("default_value")
    return value if isinstance(value, (bool, dict, list)) else text(value)


def _unsaid(blueprint: Blueprint, table: dict[str, Any]) -> dict[str, Any]:
    """The parts of the blueprint that would be otherwise after an import of ``table``."""
    wanted = msgspec.to_builtins(blueprint)
    try:
        got = msgspec.to_builtins(convert(table).loaded.blueprint)
    except Invalid:
        return {key: value for key, value in wanted.items() if key != "format"}
    fields = [key for key in Blueprint.__struct_fields__ if key != "format" and wanted.get(key) != got.get(key)]
    defaults = msgspec.to_builtins(_bare(blueprint))
    return {key: wanted.get(key, defaults.get(key)) for key in fields}


def _bare(blueprint: Blueprint) -> Any:
    """Every field with its value, those too that have their default and are left out otherwise."""
    return {name: getattr(blueprint, name) for name in Blueprint.__struct_fields__}


def _in_blocks(value: Any) -> Any:
    """Texts of several lines as blocks, which people can read, and those with odd line ends so that they survive."""
    if isinstance(value, dict):
        return {_as_key(key): _in_blocks(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_in_blocks(item) for item in value]
    if not isinstance(value, str):
        return value
    if _ODD.search(value):
        return DoubleQuotedScalarString(value)
    return LiteralScalarString(value) if "\n" in value and not _NO_BLOCK.search(value) else value


def _as_key(key: str) -> str:
    return DoubleQuotedScalarString(key) if "\n" in key or _ODD.search(key) else key
