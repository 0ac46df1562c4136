"""The right Java for a server: the node's or the image's own where it fits, else Eclipse Temurin in its folder."""

from __future__ import annotations

import os
import pkgutil
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from .console import OWN, fail, image, option, own_folder, put, say
from .fetch import NotThere, download, get_json
from .unpack import unpack

ADOPTIUM = "https://api.adoptium.net/v3/assets/latest/{major}/hotspot"
LONG_TERM = (8, 11, 17, 21, 25)
ANY = 999
FOLDERS = ("/usr/lib/jvm", "/opt/java")
ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "aarch64", "arm64": "aarch64"}
START = "java.sh"


def prepare(least: int, most: int = ANY) -> None:
    """Make ``sh .stellar/java …`` run a Java from ``least`` to ``most``, and see to it that there is one.

    The variable JAVA_VERSION, where it names a version, takes the place of both.
    """
    chosen = option("JAVA_VERSION", "auto")
    if chosen != "auto":
        least = most = int(chosen)
    own_folder()
    script = (pkgutil.get_data(__package__, START) or b"").decode()
    put(OWN / "java", script.replace("@LEAST@", str(least)).replace("@MOST@", str(most)))
    if found := available(least, most):
        say(f"Java {found} is here and fits.")
        _remove_fetched(but=None)
        return
    _fetch(_best(least, most))


def available(least: int, most: int) -> int | None:
    """The lowest fitting version that the server's image brings, or the node."""
    if name := image():
        brings = re.search(r"(?:java|temurin|jre|jdk|openjdk)[:_-]?(\d{1,2})(?!\d)", name)
        found = [int(brings[1])] if brings else []
    else:
        homes = [home for folder in FOLDERS for home in sorted(Path(folder).glob("*"))]
        found = [major for home in homes if (major := version_of(home)) is not None]
        if (command := shutil.which("java")) and (major := _asked(command)) is not None:
            found.append(major)
    return min((major for major in found if least <= major <= most), default=None)


def version_of(home: Path) -> int | None:
    """The major version of the Java in a folder; None where there is none."""
    if not os.access(home / "bin" / "java", os.X_OK):
        return None
    try:
        text = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _asked(str(home / "bin" / "java"))
    return _major(re.search(r'^JAVA_VERSION="?([^"\n]+)', text, re.MULTILINE))


def _asked(command: str) -> int | None:
    try:
        done = subprocess.run([command, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _major(re.search(r'version "([^"]+)"', done.stderr))


def _major(found: re.Match[str] | None) -> int | None:
    numbers = re.findall(r"\d+", found[1]) if found else []
    if len(numbers) > 1 and numbers[0] == "1":
        return int(numbers[1])
    return int(numbers[0]) if numbers else None


def _best(least: int, most: int) -> int:
    return next((major for major in LONG_TERM if least <= major <= most), least)


def _fetch(major: int) -> None:
    where = "image" if image() else "node"
    remedy = (
        f"Choose an image with Java {major}"
        if image()
        else f"Install it on the node with: apt-get install openjdk-{major}-jre-headless"
    )
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None:
        fail(f"This {where} has no Java {major}, and there is none to download for {platform.machine()}. {remedy}.")
    say(f"This {where} has no Java that fits, so Java {major} (Eclipse Temurin) is put into the server's folder.")
    say(f"({remedy} to share one instead.)")
    query = f"architecture={architecture}&image_type=jre&os=linux&vendor=eclipse"
    try:
        assets: list[Any] = get_json(f"{ADOPTIUM.format(major=major)}?{query}")
    except NotThere:
        assets = []
    if not assets:
        fail(f"There is no Java {major} to download. {remedy}.")
    package = assets[0]["binary"]["package"]
    home = OWN / f"java-{major}"
    checksum = f"sha256:{package['checksum']}"
    mark = home / "checksum"
    if mark.is_file() and mark.read_text() == checksum:
        say(f"Java {major} is here already.")
        return
    archive = download(package["link"], OWN / "java.tar.gz", checksum=checksum, label=f"Java {major}")
    _remove_fetched(but=None)
    unpack(archive, home, strip=1)
    archive.unlink()
    put(mark, checksum)
    _remove_fetched(but=home)


def _remove_fetched(but: Path | None) -> None:
    for home in OWN.glob("java-*"):
        if home != but:
            shutil.rmtree(home, ignore_errors=True)
