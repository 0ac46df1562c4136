#!/usr/bin/env python3
"""Forge, by its list of recommended and latest versions."""

from pathlib import Path

from stellar_install import fetch, forge, minecraft
from stellar_install.console import option, say
from stellar_install.versions import newest, no_such

PROMOTIONS = "https://files.minecraftforge.net/net/minecraftforge/forge/promotions_slim.json"
REPOSITORY = "https://maven.minecraftforge.net"
ARTIFACT = "net/minecraftforge/forge"

promotions = fetch.get_json(PROMOTIONS)["promos"]
games = {name.rpartition("-")[0] for name in promotions}
wanted = minecraft.wanted()
if wanted in ("latest", "snapshot"):
    wanted = newest(games) or wanted
if wanted not in games:
    no_such("Forge for Minecraft", wanted, newest(games), sorted(games))

version = option("FORGE_VERSION", "recommended")
if version in ("recommended", "latest"):
    version = promotions.get(f"{wanted}-{version}") or promotions[f"{wanted}-latest"]
# Old ones have the branch of Minecraft behind the version once more.
known = forge.maven_versions(REPOSITORY, ARTIFACT)
full = next((name for name in (f"{wanted}-{version}", f"{wanted}-{version}-{wanted}") if name in known), None)
if full is None:
    mine = [name.split("-")[1] for name in known if name.startswith(f"{wanted}-")]
    no_such(f"Forge for Minecraft {wanted} called", version, newest(mine), mine)
forge.install("Forge", REPOSITORY, ARTIFACT, full, minecraft.find(wanted))
Path("mods").mkdir(exist_ok=True)
say(f"Forge {version} for Minecraft {wanted} is installed.")
