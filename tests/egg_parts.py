"""Eggs for tests: a small one to change, and the real ones beside the checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stellar.plugins.blueprints.eggs.convert import convert
from stellar.plugins.blueprints.structs import Blueprint

REAL = Path(__file__).parents[2] / "shared" / "eggs"


def real_eggs() -> list[Any]:
    """The files of real eggs, as parameters; one that skips where there are none."""
    found = sorted(path for path in REAL.glob("*") if path.suffix in (".json", ".yaml"))
    if not found:
        reason = "there are no real eggs in ../shared/eggs"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(path, id=path.stem) for path in found]


def egg(**changes: Any) -> dict[str, Any]:
    """A whole egg of version 2, with some of its keys changed."""
    return {
        "_comment": "by hand",
        "meta": {"version": "PTDL_v2", "update_url": None},
        "exported_at": "2024-01-01T00:00:00+00:00",
        "name": "Some Game",
        "author": "somebody@example.org",
        "description": "A game.",
        "features": ["eula"],
        "docker_images": {"Java 21": "ghcr.io/example/yolks:java_21"},
        "file_denylist": [],
        "startup": "java -Xmx{{SERVER_MEMORY}}M -jar {{JAR}} --port {{SERVER_PORT}}",
        "config": {
            "files": json.dumps(
                {"server.properties": {"parser": "properties", "find": {"port": "{{server.build.default.port}}"}}}
            ),
            "startup": json.dumps({"done": "Done"}),
            "logs": "{}",
            "stop": "stop",
        },
        "scripts": {
            "installation": {"script": "#!/bin/bash\r\ncurl $URL\r\n", "container": "debian:12", "entrypoint": "bash"}
        },
        "variables": [variable("JAR", default_value="server.jar", rules=r"required|regex:/^([\w\d._-]+)(\.jar)$/")],
        **changes,
    }


def variable(env: str, **changes: Any) -> dict[str, Any]:
    """A variable of an egg."""
    return {
        "name": env.title(),
        "description": "",
        "env_variable": env,
        "default_value": "",
        "user_viewable": True,
        "user_editable": True,
        "rules": "nullable|string",
        "field_type": "text",
        **changes,
    }


def blueprint(**changes: Any) -> Blueprint:
    """An egg as a blueprint."""
    return convert(egg(**changes)).loaded.blueprint


def notes(**changes: Any) -> dict[str, str]:
    """What its import lists, by where it stands."""
    return {note.path: note.problem for note in convert(egg(**changes)).report.notes}


def with_config(**changes: Any) -> dict[str, Any]:
    """Changes of an egg to its ``config``."""
    return {"config": {**egg()["config"], **changes}}


def files(name: str, find: Any, parser: str = "json") -> dict[str, Any]:
    """Changes of an egg to one config file."""
    return with_config(files={name: {"parser": parser, "find": find}})
