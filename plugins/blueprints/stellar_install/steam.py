"""SteamCMD, and what it installs without an account."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .console import OWN, fail, image, own_folder, say
from .fetch import download
from .unpack import unpack

STEAMCMD = "https://steamcdn-a.akamaihd.net/client/installer/steamcmd_linux.tar.gz"
LOADER = Path("/lib/ld-linux.so.2")
"""What runs programs of 32 bits."""
TRIES = 3
"""SteamCMD fails now and then, most of all right after it has updated itself."""


def install_app(app: int, *, beta: str = "", keep: Iterable[str] = ()) -> None:
    """Install or update a game here; the files ``keep`` stay as they are, which Steam would take for broken."""
    home = OWN / "steamcmd"
    if not (home / "steamcmd.sh").exists():
        unpack(download(STEAMCMD, own_folder() / "steamcmd.tar.gz", label="SteamCMD"), home)
        (OWN / "steamcmd.tar.gz").unlink()
    _need_loader(home / "linux32" / "steamcmd")
    with _Kept(keep):
        for _ in range(TRIES):
            if _run(home, app, beta):
                break
            say("SteamCMD did not finish; trying again.")
        else:
            fail(f"SteamCMD could not install the app {app}; its reason is above. Check disk space and network.")
    for bits in (32, 64):
        library = home / f"linux{bits}" / "steamclient.so"
        if library.exists():
            place = Path(".steam", f"sdk{bits}")
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(library, place / "steamclient.so")
    say("The game is installed.")


def _run(home: Path, app: int, beta: str) -> bool:
    """Whether SteamCMD says that the game is here, whole and up to date."""
    Path("steamapps").mkdir(exist_ok=True)
    branch = ["-beta", beta] if beta else []
    command = ["/bin/sh" if not os.access(home / "steamcmd.sh", os.X_OK) else "", str(home / "steamcmd.sh")]
    command += ["+force_install_dir", str(Path.cwd()), "+login", "anonymous"]
    command += ["+app_update", str(app), *branch, "validate", "+quit"]
    environment = {**os.environ, "HOME": str(Path.cwd()), "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(
        [part for part in command if part],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
        errors="replace",
    ) as process:
        done = False
        for line in process.stdout or ():
            say(line.rstrip())
            done = done or f"Success! App '{app}'" in line
    return done


def _need_loader(program: Path) -> None:
    with program.open("rb") as file:
        of_32_bits = file.read(5) == b"\x7fELF\x01"
    if not of_32_bits or LOADER.exists():
        return
    if image() and os.geteuid() == 0 and shutil.which("apt-get"):
        say("Installing what programs of 32 bits need …")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "lib32gcc-s1"]):
            subprocess.run(command, env=quiet, stdout=subprocess.DEVNULL, check=False)
    if not LOADER.exists():
        fail("SteamCMD is a program of 32 bits. Install what it needs on the node with: apt-get install lib32gcc-s1")


class _Kept:
    """Puts files back as they were."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)
        self._before: dict[Path, bytes] = {}

    def __enter__(self) -> None:
        paths = [path for name in self._names for path in Path().glob(name) if path.is_file()]
        self._before = {path: path.read_bytes() for path in paths}

    def __exit__(self, *error: object) -> None:
        for path, data in self._before.items():
            if not path.is_file() or path.read_bytes() != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
