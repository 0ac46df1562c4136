#!/usr/bin/env python3
"""Mojang's own server, by its list of versions."""

from pathlib import Path

from stellar_install import fetch, java, minecraft
from stellar_install.console import fail, say

found = minecraft.find(minecraft.wanted())
if found.url is None:
    fail(f"Mojang offers no server of Minecraft {found.id}; the oldest that has one is 1.2.5.")
say(f"Minecraft {found.id} needs Java {found.java}.")
fetch.download(found.url, Path("server.jar"), checksum=found.checksum, label=f"Minecraft {found.id}")
java.prepare(found.java, minecraft.most_java(found.java))
say(f"Minecraft {found.id} is installed.")
