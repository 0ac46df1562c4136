#!/usr/bin/env python3
"""Fabric, by its list of versions; its server fetches Minecraft itself at the first start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stellar_install import fetch, java, minecraft
from stellar_install.console import fail, option, say
from stellar_install.versions import no_such

META = "https://meta.fabricmc.net/v2/versions"


def newest(kind: str) -> str:
    """The newest stable version of the loader or the installer."""
    entries: list[dict[str, Any]] = fetch.get_json(f"{META}/{kind}")
    return str(next((entry["version"] for entry in entries if entry["stable"]), entries[0]["version"]))


game = minecraft.find(minecraft.wanted())
known = [entry["version"] for entry in fetch.get_json(f"{META}/game")]
if game.id not in known:
    no_such("Fabric for Minecraft", game.id, known[0], known)
loader = option("LOADER_VERSION", "latest")
loader = newest("loader") if loader == "latest" else loader
try:
    address = f"{META}/loader/{game.id}/{loader}/{newest('installer')}/server/jar"
    fetch.download(address, Path("server.jar"), label=f"Fabric {loader} for Minecraft {game.id}")
except fetch.NotThere:
    fail(f"There is no Fabric {loader} for Minecraft {game.id} (0.12 is the oldest that can be installed here).")
java.prepare(game.java, minecraft.most_java(game.java))
Path("mods").mkdir(exist_ok=True)
say(f"Fabric {loader} for Minecraft {game.id} is installed.")
