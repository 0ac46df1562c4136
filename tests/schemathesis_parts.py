"""``schemathesis run`` against a live panel, as one caller; its hooks are in ``schemathesis_hooks``."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import msgspec
import redis.asyncio
import tomlkit
from foreign_parts import new_estate
from rights_parts import new_node, new_server, new_user, signed_in
from whole_panel import Site, whole_panel

from stellar import settings
from stellar.auth import sessions, users
from stellar.auth.permissions import SYSTEM
from stellar.bus import ratelimit
from stellar.http.request import SESSION_COOKIE
from stellar.plugins.nodes.models import Node
from stellar.plugins.servers.models import Server

HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
SESSIONS = 150
"""How many a caller may lose: a run also signs out, and ends sessions."""
FILES = ["notes.txt", "other.txt"]
REACH = {"anonymous": 4, "user": 60, "admin": 105}
SOCKETS = ["GET /api/v1/events", "GET /api/v1/nodes/link", "GET /api/v1/servers/{server_id}/console/socket"]
ACCEPTED = ["2xx", "401", "403", "404", "409", "422", "503"]
"""What a request may get that is as the description says. 422: rules that JSON Schema can't express, such as that a
name is known or that two fields go together; a check of the hooks makes sure that it was such a rule. 503: a node
without its agent; there is a check for that, too."""

count = ratelimit.check


@dataclass
class Scene:
    """A caller, for whom at least ``reach`` operations work.

    ``values``, by parameter (``path.port``) or field (``body.email``), exist for them.
    """

    url: str
    reach: int
    values: dict[str, list[str]] = field(default_factory=dict)
    sessions: list[tuple[str, str]] = field(default_factory=list)
    spares: dict[str, str] = field(default_factory=dict)
    cookie: str = SESSION_COOKIE


@contextmanager
def lenient_panel(directory: Path, database_url: str) -> Iterator[Site]:
    """A panel whose rate limits count but are never reached: a 429 would hide what is behind it."""

    async def check(client: redis.asyncio.Redis, who: str, what: str, limit: int, window: float) -> ratelimit.Verdict:
        return await count(client, who, what, limit * 100_000, window)

    with patch.object(ratelimit, "check", check), whole_panel(directory, database_url) as site:
        yield site
        for server in site.admin.get("/api/v1/servers", params={"limit": 200}).json()["items"]:
            site.admin.delete(f"/api/v1/servers/{server['id']}", params={"force": True})


def scene_of(site: Site, caller: str) -> Scene:
    """A scene for ``anonymous``, or for a new account with that role; there is one of everything."""
    settings.put(SYSTEM, settings.OPEN_REGISTRATION, True)
    password = secrets.token_urlsafe(16)
    user = users.create(f"{caller}@example.org", password, caller.title(), "admin" if caller == "admin" else "user")
    with signed_in(site.web, user) as client:
        server = site.running(client=client)
        for file in FILES:
            assert client.put(f"{server.path}/files/content", params={"path": file}, content=b"hello").is_success
    estate, spare = new_estate(user, Server.get_by_id(server.id)), new_server(user, Node.get_by_id(site.node.id))
    values: dict[str, list[str]] = {f"path.{name}": [value] for name, value in estate.ids.items()}
    values |= {
        "path.blueprint_id": ["generic"],
        "path.key": [one.key for one in settings.listing()],
        "query.path": FILES,
        "body.from": FILES[1:],
        "body.email": [user.email if caller == "anonymous" else new_user().email],
        "body.password": [password],
        "body.blueprint": ["quick"],
    }
    if caller == "anonymous":
        return Scene(site.web.url, REACH[caller], values)
    me = site.admin.get("/api/v1/users/me").json()["id"]
    spares = {server.id: spare.id, site.node.id: new_node().id, me: new_user().id}
    begun = [sessions.create(user, "127.0.0.1", "schemathesis") for _ in range(SESSIONS)]
    return Scene(
        site.web.url,
        REACH[caller],
        values,
        [(one.token, one.session.csrf_token) for one in begun],
        spares,
    )


def run(scene: Scene, directory: Path, seed: int, examples: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Walk every operation; ``examples`` is how many random requests each of them gets, besides the systematic ones."""
    config, told, document = (directory / name for name in ("schemathesis.toml", "scene.json", "openapi.json"))
    config.write_text(tomlkit.dumps(_config(scene)), "utf-8")
    told.write_bytes(msgspec.json.encode(asdict(scene)))
    # By its address it would be read, too, but not be asked for as one of the operations.
    document.write_bytes(httpx.get(f"{scene.url}/api/v1/openapi.json", trust_env=False).content)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", str(document)]
    options = ["--url", scene.url, "--seed", str(seed), "--max-examples", str(examples)]
    return subprocess.run(
        [*command, *options, "--checks", "all", "--no-color", *arguments],
        cwd=directory,
        env={**os.environ, "SCHEMATHESIS_SCENE": str(told)},
        capture_output=True,
        text=True,
        check=False,
    )


def _config(scene: Scene) -> dict[str, Any]:
    return {
        "hooks": str(HOOKS),
        "continue-on-failure": True,
        "request-timeout": 30,
        "max-stream-events": 1,
        "auth": {"auto-signup": False},
        "generation": {"database": "none"},
        "phases": {"coverage": {"extra-data-sources": {"responses": False}}},
        "dictionaries": {_bare(name): {"values": values} for name, values in scene.values.items()},
        "parameters": {name: {"dictionary": _bare(name), "probability": 0.7} for name in scene.values},
        "checks": {
            "negative_data_rejection": {"expected-statuses": ["4xx", "503"]},
            "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]},
            "positive_data_acceptance": {"expected-statuses": ACCEPTED},
        },
        # Without a handshake, which schemathesis doesn't know, there is nothing to accept.
        "operations": [
            {"include-name": SOCKETS, "checks": {"positive_data_acceptance": {"expected-statuses": ["405", *ACCEPTED]}}}
        ],
    }


def _bare(name: str) -> str:
    return name.replace(".", "_")
