#!/usr/bin/env python3
"""TeamSpeak 3, by the list of versions of teamspeak.com."""

import platform
from pathlib import Path

from stellar_install import fetch
from stellar_install.console import OWN, fail, option, own_folder, say
from stellar_install.unpack import unpack
from stellar_install.versions import no_such

VERSIONS = "https://www.teamspeak.com/versions/server.json"
RELEASES = "https://files.teamspeak-services.com/releases/server"
OWNERS = ["files/*", "logs/*", "*.sqlitedb", "*.ini", "query_ip_*list.txt"]

if platform.machine() != "x86_64":
    fail(f"TeamSpeak has no server for {platform.machine()}; take a node with another processor.")
latest = fetch.get_json(VERSIONS)["linux"]["x86_64"]
version = option("TEAMSPEAK_VERSION", "latest")
if version in ("latest", latest["version"]):
    version, checksum = latest["version"], f"sha256:{latest['checksum']}"
    address = next(iter(latest["mirrors"].values()))
else:
    checksum = ""
    address = f"{RELEASES}/{version}/teamspeak3-server_linux_amd64-{version}.tar.bz2"

own_folder()
try:
    archive = fetch.download(address, OWN / "teamspeak.tar.bz2", checksum=checksum, label=f"TeamSpeak {version}")
except fetch.NotThere:
    no_such("TeamSpeak", version, latest["version"])
unpack(archive, Path(), strip=1, keep=OWNERS)
archive.unlink()
for library in Path("redist").glob("libmariadb.so*"):
    library.replace(library.name)
say(f"TeamSpeak {version} is installed. Its first start prints the key of its administrator.")
