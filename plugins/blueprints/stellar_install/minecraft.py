"""Mojang's list of versions of Minecraft: Java Edition."""

from __future__ import annotations

from typing import Any

from .console import option
from .fetch import get_json
from .versions import no_such

MANIFEST = "https://piston-meta.mojang.com/mc/game/version_manifest_v2.json"
BEFORE_JAVA_16 = 8
"""What versions say that came before Minecraft needed a newer Java; those work with up to Java 11."""


class Minecraft:
    """One version: its ``id``, the ``java`` that it needs, and the server's ``url`` and ``checksum`` if it has one."""

    def __init__(self, details: dict[str, Any]) -> None:
        server = details.get("downloads", {}).get("server", {})
        self.id: str = details["id"]
        self.java: int = details.get("javaVersion", {}).get("majorVersion", BEFORE_JAVA_16)
        self.url: str | None = server.get("url")
        self.checksum = f"sha1:{server.get('sha1', '')}"


def wanted() -> str:
    """What the variable MINECRAFT_VERSION says: ``latest``, ``snapshot``, or a version."""
    return option("MINECRAFT_VERSION", "latest")


def find(version: str) -> Minecraft:
    """``latest``, ``snapshot``, or a version; ends the install where there is none."""
    manifest = get_json(MANIFEST)
    latest = manifest["latest"]
    name = {"latest": latest["release"], "snapshot": latest["snapshot"]}.get(version, version)
    known = {entry["id"]: entry for entry in manifest["versions"]}
    if name not in known:
        no_such("Minecraft", name, latest["release"], list(known))
    entry = known[name]
    return Minecraft(get_json(entry["url"], f"sha1:{entry['sha1']}"))


def most_java(least: int) -> int:
    """The newest Java for a version that needs ``least``: the old ones don't run on much newer ones."""
    return 11 if least <= BEFORE_JAVA_16 else 999
