"""Who this node is at registries of images: kept beside the agent's other secrets, in Docker's own format.

``<data>/agent/registries.json`` is the node's; what ``docker login`` has put into ``~/.docker/config.json``, or into
the helper that is named there, counts too. Nothing of it ever leaves the node but for the registry itself.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from pathlib import Path
from typing import Any

from stellar.errors import Invalid

from . import helpers

HUB = "docker.io"
HUB_ADDRESS = "https://index.docker.io/v1/"
"""What Docker's configuration and its helpers call it."""
_HUB_NAMES = {"", HUB, "index.docker.io", "registry-1.docker.io", HUB_ADDRESS}
Auths = dict[str, dict[str, str]]


def registries_file(agent_data: Path) -> Path:
    """Where the node keeps them."""
    return agent_data / "registries.json"


def normal(registry: str) -> str:
    """A registry's name without scheme and path, as images begin with it; ``Invalid`` for what is none."""
    if registry in _HUB_NAMES:
        return HUB
    name = registry.removeprefix("https://").removeprefix("http://").split("/", 1)[0]
    if not name[:1].isalnum() or not all(char.isalnum() or char in ".:-_" for char in name):
        raise Invalid(f"{registry!r} is no registry; give a host such as ghcr.io.")
    return HUB if name in _HUB_NAMES else name


def login(file: Path, registry: str, username: str, password: str) -> None:
    """Remember a user's password (or token) for a registry."""
    if not username or ":" in username:
        raise Invalid("A user name of a registry is not empty and has no colon.")
    auths = _read(file)
    auths[normal(registry)] = {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}
    _write(file, auths)


def logout(file: Path, registry: str) -> bool:
    """Forget a registry's user; whether there was one."""
    auths = _read(file)
    found = auths.pop(normal(registry), None)
    _write(file, auths)
    return found is not None


def users(file: Path) -> dict[str, str]:
    """The user at each registry that the node remembers; no passwords."""
    found = {name: _pair(entry) for name, entry in _read(file).items()}
    return {name: pair[0] for name, pair in found.items() if pair is not None}


def header_for(image: str, *files: Path) -> str | None:
    """The ``X-Registry-Auth`` header for pulling an image; None where the node knows nobody at its registry."""
    first, slash, _ = image.partition("/")
    registry = first if slash and (set(first) & set(".:") or first == "localhost") else HUB
    for file in files:
        if (fields := _from_helper(file, registry) or _from_file(file, registry)) is not None:
            return _encoded({**fields, "serveraddress": registry})
    return None


def docker_config() -> Path:
    """What ``docker login`` of the agent's user writes to."""
    folder = os.environ.get("DOCKER_CONFIG")
    try:
        return (Path(folder) if folder else Path.home() / ".docker") / "config.json"
    except RuntimeError:  # no home
        return Path("/nonexistent")


def _from_file(file: Path, registry: str) -> dict[str, str] | None:
    for name, entry in _read(file).items():
        if not _same(name, registry):
            continue
        if entry.get("identitytoken"):
            return {"identitytoken": entry["identitytoken"]}
        if (pair := _pair(entry)) is not None:
            return {"username": pair[0], "password": pair[1]}
    return None


def _from_helper(file: Path, registry: str) -> dict[str, str] | None:
    document = _document(file)
    named = document.get("credHelpers")
    chosen = [helper for name, helper in named.items() if _same(name, registry)] if isinstance(named, dict) else []
    helper = next(iter(chosen), document.get("credsStore"))
    if not isinstance(helper, str) or not helper:
        return None
    return helpers.ask(helper, HUB_ADDRESS if registry == HUB else registry)


def _same(name: str, registry: str) -> bool:
    try:
        return normal(name) == normal(registry)
    except Invalid:
        return False


def _pair(entry: dict[str, str]) -> tuple[str, str] | None:
    try:
        username, colon, password = base64.b64decode(entry.get("auth", ""), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (username, password) if colon else None


def _encoded(auth: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()


def _document(file: Path) -> dict[str, Any]:
    try:
        document: Any = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _read(file: Path) -> Auths:
    auths = _document(file).get("auths")
    if not isinstance(auths, dict):
        return {}
    return {str(name): entry for name, entry in auths.items() if isinstance(entry, dict)}


def _write(file: Path, auths: Auths) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = file.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as stream:
        json.dump({"auths": auths}, stream, indent=2)
    temporary.replace(file)
