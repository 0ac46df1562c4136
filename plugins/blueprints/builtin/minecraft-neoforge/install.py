#!/usr/bin/env python3
"""NeoForge, by its repository's list of versions."""

from pathlib import Path

from stellar_install import forge, minecraft
from stellar_install.console import option, say
from stellar_install.versions import newest, no_such

REPOSITORY = "https://maven.neoforged.net/releases"
ARTIFACT = "net/neoforged/neoforge"
"""From Minecraft 1.20.2 on."""


def game_of(version: str) -> str:
    """21.1.77 is for Minecraft 1.21.1, 21.0.5 for 1.21, 26.1.2.3 for 26.1.2, 26.1.0.3 for 26.1."""
    numbers = version.partition("-")[0].partition("+")[0].split(".")
    game = ["1", *numbers[:2]] if int(numbers[0]) < 26 else numbers[:3]
    return ".".join(game[:-1] if game[-1] == "0" else game)


def is_release(version: str) -> bool:
    return version.partition(".")[0].isdigit() and int(version.partition(".")[0]) >= 20


known = [version for version in forge.maven_versions(REPOSITORY, ARTIFACT) if is_release(version)]
games = sorted({game_of(version) for version in known})
wanted = minecraft.wanted()
if wanted in ("latest", "snapshot"):
    wanted = game_of(newest(known) or "20.2.0")
mine = [version for version in known if game_of(version) == wanted]
if not mine:
    no_such("NeoForge for Minecraft", wanted, newest(games), games)
version = option("NEOFORGE_VERSION", "latest")
if version == "latest":
    version = newest(mine) or version
if version not in mine:
    no_such(f"NeoForge for Minecraft {wanted} called", version, newest(mine), mine)
forge.install("NeoForge", REPOSITORY, ARTIFACT, version, minecraft.find(wanted))
Path("mods").mkdir(exist_ok=True)
say(f"NeoForge {version} for Minecraft {wanted} is installed.")
