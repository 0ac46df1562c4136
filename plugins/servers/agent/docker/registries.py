"""Who this node is at registries of images: kept beside the agent's other secrets, in Docker's own format.

``<data>/agent/registries.json`` is the node's; what ``docker login`` has put into ``~/.docker/config.json`` counts too.
Nothing of it ever leaves the node but for the registry itself.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from pathlib import Path
from typing import Any

from stellar.errors import Invalid

HUB = "docker.io"
_HUB_NAMES = {"", HUB, "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"}
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
        for name, entry in _read(file).items():
            try:
                if normal(name) != normal(registry):
                    continue
            except Invalid:
                continue
            if entry.get("identitytoken"):
                return _encoded({"identitytoken": entry["identitytoken"], "serveraddress": registry})
            if (pair := _pair(entry)) is not None:
                return _encoded({"username": pair[0], "password": pair[1], "serveraddress": registry})
    return None


def docker_config() -> Path:
    """What ``docker login`` of the agent's user writes to."""
    folder = os.environ.get("DOCKER_CONFIG")
    try:
        return (Path(folder) if folder else Path.home() / ".docker") / "config.json"
    except RuntimeError:  # no home
        return Path("/nonexistent")


def _pair(entry: dict[str, str]) -> tuple[str, str] | None:
    try:
        username, colon, password = base64.b64decode(entry.get("auth", ""), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (username, password) if colon else None


def _encoded(auth: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()


def _read(file: Path) -> Auths:
    try:
        document: Any = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    auths = document.get("auths") if isinstance(document, dict) else None
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
