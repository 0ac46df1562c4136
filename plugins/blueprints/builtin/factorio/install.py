#!/usr/bin/env python3
"""Factorio's headless server, by the list of releases of factorio.com."""

import shutil
from pathlib import Path

from stellar_install import fetch
from stellar_install.console import OWN, option, own_folder, say
from stellar_install.unpack import unpack
from stellar_install.versions import no_such

SITE = "https://factorio.com"
OWNERS = ["saves/*", "mods/*", "config/*", "server-*.json"]

releases = fetch.get_json(f"{SITE}/api/latest-releases")
latest = releases["stable"]["headless"]
wanted = option("FACTORIO_VERSION", "latest")
version = {"latest": latest, "experimental": releases["experimental"].get("headless") or latest}.get(wanted, wanted)
names = {f"factorio-headless_linux_{version}.tar.xz", f"factorio_headless_x64_{version}.tar.xz"}
lines = (line.split() for line in fetch.get_text(f"{SITE}/download/sha256sums/").splitlines())
checksums = [parts[0] for parts in lines if len(parts) == 2 and parts[1] in names]
if not checksums:
    no_such("Factorio", version, latest)

own_folder()
try:
    archive = fetch.download(
        f"{SITE}/get-download/{version}/headless/linux64",
        OWN / "factorio.tar.xz",
        checksum=f"sha256:{checksums[0]}",
        label=f"Factorio {version}",
    )
except fetch.NotThere:
    no_such("Factorio", version, latest)
unpack(archive, Path(), strip=1, keep=OWNERS)
archive.unlink()
Path("saves").mkdir(exist_ok=True)
Path("mods").mkdir(exist_ok=True)
for name in ("server-settings", "map-settings", "map-gen-settings"):
    example = Path("data", f"{name}.example.json")
    if example.exists() and not Path(f"{name}.json").exists():
        shutil.copyfile(example, f"{name}.json")
# The whitelist's example names two of the game's makers: nobody else could join. Empty, it lets everybody in.
for name in ("server-whitelist", "server-adminlist"):
    if not Path(f"{name}.json").exists():
        Path(f"{name}.json").write_text("[]\n")
say(f"Factorio {version} is installed.")
