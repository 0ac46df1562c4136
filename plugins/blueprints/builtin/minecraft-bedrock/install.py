#!/usr/bin/env python3
"""Bedrock, by the addresses that minecraft.net itself links to."""

from pathlib import Path

from stellar_install import fetch
from stellar_install.console import OWN, fail, option, own_folder, say
from stellar_install.unpack import unpack
from stellar_install.versions import no_such

LINKS = "https://net-secondary.web.minecraft-services.net/api/v1.0/download/links"
KINDS = {"latest": "serverBedrockLinux", "preview": "serverBedrockPreviewLinux"}
OWNERS = ["server.properties", "allowlist.json", "permissions.json", "whitelist.json", "config/*", "worlds/*"]

if option("EULA") != "true":
    fail("Read https://aka.ms/MinecraftEULA. If you agree, set “I agree to Minecraft's EULA” to true; install again.")

links = {link["downloadType"]: link["downloadUrl"] for link in fetch.get_json(LINKS)["result"]["links"]}
wanted = option("BEDROCK_VERSION", "latest")
address = links[KINDS.get(wanted, KINDS["latest"])]
folder, _, file = address.rpartition("/")
newest = file[len("bedrock-server-") : -len(".zip")]
version = newest if wanted in KINDS else wanted

own_folder()
try:
    archive = fetch.download(f"{folder}/bedrock-server-{version}.zip", OWN / "bedrock.zip", label=f"Bedrock {version}")
except fetch.NotThere:
    no_such("Bedrock server", version, newest)
unpack(archive, Path(), keep=OWNERS)
archive.unlink()
Path("bedrock_server").chmod(0o755)
say(f"Bedrock {version} is installed.")
