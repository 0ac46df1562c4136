"""What Forge and NeoForge have in common: an installer in Java, and a start that depends on the version."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from . import java
from .console import OWN, fail, image, own_folder, put, say
from .fetch import NotThere, download, get, get_text
from .minecraft import Minecraft

START = """\
# Written by the install: runs the installer once, in the Java that the server runs in, and starts the server.
version='@VERSION@'
if [ "$(cat .stellar/installed 2>/dev/null)" != "$version" ]; then
    echo "[stellar] Running the installer of $version; it downloads what is missing."
    sh .stellar/java -jar .stellar/installer.jar --installServer || {
        echo '[!] The installer failed; its reason is above.'
        exit 1
    }
    echo "$version" > .stellar/installed
fi
[ "${1:-}" != --install-only ] || exit 0
own=''
[ ! -e user_jvm_args.txt ] || own=@user_jvm_args.txt
for arguments in libraries/net/*/*/"$version"/unix_args.txt; do
    [ -e "$arguments" ] || continue
    exec sh .stellar/java $own "@$arguments" nogui
done
for jar in "@NAME@-$version-universal.jar" "@NAME@-$version.jar"; do
    [ ! -e "$jar" ] || exec sh .stellar/java -jar "$jar" nogui
done
echo '[!] The installed server is not here any more; install it again.'
exit 1
"""


def maven_versions(repository: str, artifact: str) -> list[str]:
    """Every version of an artifact (``net/neoforged/neoforge``), oldest first."""
    return re.findall(r"<version>([^<]+)</version>", get_text(f"{repository}/{artifact}/maven-metadata.xml"))


def install(name: str, repository: str, artifact: str, version: str, minecraft: Minecraft) -> None:
    """Fetch an installer and run it, now or, where the right Java is only in the server's image, at the first start."""
    say(f"{name} {version} for Minecraft {minecraft.id} needs Java {minecraft.java}.")
    own_folder()
    short = artifact.rpartition("/")[2]
    url = f"{repository}/{artifact}/{version}/{short}-{version}-installer.jar"
    try:
        download(url, OWN / "installer.jar", checksum=_checksum(url), label=f"the installer of {name} {version}")
    except NotThere:
        fail(f"{name} {version} has no installer at {url}; choose another version.")
    java.prepare(minecraft.java, _newest_java(minecraft.java))
    put(OWN / "start", START.replace("@VERSION@", version).replace("@NAME@", short))
    (OWN / "installed").unlink(missing_ok=True)
    if image() and not list(OWN.glob("java-*")):
        say("The installer runs at the first start, in the Java of the server's image.")
        return
    if subprocess.run(["/bin/sh", str(OWN / "start"), "--install-only"], check=False).returncode != 0:
        fail(f"{name} could not be installed; the reason is above.")
    Path("installer.jar.log").unlink(missing_ok=True)


def _newest_java(least: int) -> int:
    """Mods reach deep into Java: newer ones than the game was made for break them."""
    return next(major for major in (*java.LONG_TERM, java.ANY) if major >= least)


def _checksum(url: str) -> str:
    try:
        found = re.match(rb"[0-9a-fA-F]{40}", get(f"{url}.sha1"))
    except NotThere:
        return ""
    return f"sha1:{found[0].decode().lower()}" if found else ""
