#!/usr/bin/env python3
"""The owner's JAR file, and the Java that it needs."""

from pathlib import Path

from stellar_install import fetch, java
from stellar_install.console import fail, option, say

jar = Path(option("JAR_FILE", "server.jar"))
if address := option("JAR_URL"):
    try:
        fetch.download(address, jar)
    except fetch.NotThere:
        fail(f"There is nothing at {address}.")
java.prepare(int(option("JAVA_VERSION", "21")))
say("The program is ready." if jar.exists() else f"Upload {jar}, then start the server.")
