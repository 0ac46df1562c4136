#!/usr/bin/env python3
"""Paper, by PaperMC's service for downloads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stellar_install import fetch, java, minecraft
from stellar_install.console import fail, option, say
from stellar_install.versions import no_such

PROJECT = "https://fill.papermc.io/v3/projects/paper"


def builds_of(version: str) -> list[Any]:
    """The builds of a version, newest first; none where there is no such version."""
    try:
        builds = fetch.get_json(f"{PROJECT}/versions/{version}/builds")
    except fetch.NotThere:
        return []
    return sorted(builds, key=lambda build: build["id"], reverse=True)


def stable(builds: list[Any]) -> list[Any]:
    return [build for build in builds if build["channel"] in ("STABLE", "RECOMMENDED")]


wanted = minecraft.wanted()
versions = [version for group in fetch.get_json(PROJECT)["versions"].values() for version in group]
if wanted == "latest":
    found = next(((version, builds) for version in versions if stable(builds := builds_of(version))), None)
    version, builds = found or fail("Paper has no stable build just now; choose snapshot, or a version.")
elif wanted == "snapshot":
    version, builds = versions[0], builds_of(versions[0])
else:
    version, builds = wanted, builds_of(wanted) if wanted in versions else []
if not builds:
    no_such("Paper for Minecraft", version, versions[0], versions)

number = option("PAPER_BUILD", "latest")
if number == "latest":
    build = (stable(builds) or builds)[0]
else:
    build = next((build for build in builds if build["id"] == int(number)), None)
if build is None:
    no_such(f"build of Paper {version} with the number", number, f"build {builds[0]['id']}")
if build["channel"] not in ("STABLE", "RECOMMENDED"):
    say(f"This build is not stable yet ({build['channel'].lower()}): keep backups.")

server = build["downloads"]["server:default"]
name = f"Paper {version} build {build['id']}"
fetch.download(server["url"], Path("server.jar"), checksum=f"sha256:{server['checksums']['sha256']}", label=name)
least = fetch.get_json(f"{PROJECT}/versions/{version}")["version"]["java"]["version"]["minimum"]
java.prepare(least, minecraft.most_java(least))
say(f"{name} is installed.")
