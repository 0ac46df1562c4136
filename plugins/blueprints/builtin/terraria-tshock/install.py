#!/usr/bin/env python3
"""TShock, by its releases on GitHub."""

import platform
import shutil
from pathlib import Path

from stellar_install import fetch
from stellar_install.console import OWN, fail, option, own_folder, say
from stellar_install.unpack import unpack
from stellar_install.versions import no_such

RELEASES = "https://api.github.com/repos/Pryaxis/TShock/releases"
MACHINES = {"x86_64": ("linux-x64", "linux-amd64"), "aarch64": ("linux-arm64",)}
OWNERS = ["tshock/*", "worlds/*", "ServerPlugins/*.json"]

releases = [release for release in fetch.get_json(RELEASES) if not release["draft"]]
tags = [release["tag_name"] for release in releases if not release["prerelease"]]
wanted = option("TSHOCK_VERSION", "latest")
tag = tags[0] if wanted == "latest" else next((name for name in (wanted, f"v{wanted}") if name in tags), None)
if tag is None:
    no_such("TShock", wanted, tags[0].lstrip("v"), [name.lstrip("v") for name in tags])
release = next(release for release in releases if release["tag_name"] == tag)
kinds = MACHINES.get(platform.machine(), ())
assets = [asset for asset in release["assets"] if any(f"-{kind}-" in asset["name"] for kind in kinds)]
if not assets:
    fail(f"TShock {tag} has no download for {platform.machine()}; choose another version.")

asset = assets[0]
own_folder()
archive = fetch.download(
    asset["browser_download_url"], OWN / "tshock.zip", checksum=asset.get("digest") or "", label=f"TShock {tag}"
)
# In the ZIP file for Linux is a TAR file, which keeps what may be run.
unpack(archive, OWN / "tshock")
unpack(next((OWN / "tshock").glob("*.tar"), archive), Path(), keep=OWNERS)
shutil.rmtree(OWN / "tshock")
archive.unlink()
Path("worlds").mkdir(exist_ok=True)
Path("TShock.Server").chmod(0o755)
say(f"TShock {tag} is installed.")
