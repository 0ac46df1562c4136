"""What confine.py can take away from a server on this host, found by trying, and how it is asked to."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import confine, syscalls
from .visible import SYSTEM, etc

NO_LANDLOCK = "This kernel's Landlock {what}; Linux {since} or later with “landlock” among its security modules has it."
NO_SCOPE = NO_LANDLOCK.format(what="can't keep a server from other programs' abstract sockets", since="6.12")
NO_FILES = NO_LANDLOCK.format(what="can't close files to a server that has no sandbox", since="5.19")
NO_FILTER = "This kernel, or what the agent runs in, takes no system call filter."
DEVICES = ("full", "null", "ptmx", "random", "tty", "urandom", "zero")
SHARED = ("/dev/shm", "/tmp", "/var/tmp")  # noqa: S108


@dataclass(frozen=True)
class Confinement:
    """What works: ``scope`` (signals and abstract sockets), ``files`` and the system call ``filter``."""

    scope: bool = False
    files: bool = False
    filter: bytes | None = None
    reasons: dict[str, str] = field(default_factory=dict)

    def command(self, filter_file: Path, *, sandboxed: bool, paths: list[str]) -> list[str]:
        """What to put before a command; ``sandboxed``: that is bubblewrap, which shows only some files itself.

        ``paths`` are confine.py's options for what is reachable besides the system; the filter is written to its file.
        """
        if self == NOTHING:
            return []
        options = ["scope"] if self.scope else []
        if self.filter is not None:
            filter_file.write_bytes(self.filter)
            options.append(f"{'pass' if sandboxed else 'filter'}={filter_file}")
        if self.files and not sandboxed:
            options += [*_system(), *paths]
        return [sys.executable, "-I", "-S", confine.SELF, *options, "--"]


NOTHING = Confinement()


def library_path() -> dict[str, str]:
    """What the agent's Python may need to start; confine.py keeps it from the server."""
    found = os.environ.get("LD_LIBRARY_PATH")
    return {"LD_LIBRARY_PATH": found} if found else {}


def find(env: dict[str, str], scratch: Path) -> Confinement:
    """Try all at once, and each alone where that fails; ``scratch`` is a file for the filter."""
    reasons: dict[str, str] = {}
    version = confine.landlock_version()
    possible = Confinement(version >= confine.SCOPE_SINCE, version >= confine.FILES_SINCE, _compiled(reasons))
    if not _works(possible, env, scratch):
        scope = possible.scope and _works(Confinement(scope=True), env, scratch)
        files = possible.files and _works(Confinement(files=True), env, scratch)
        filtering = possible.filter is not None and _works(Confinement(filter=possible.filter), env, scratch)
        possible = Confinement(scope, files, possible.filter if filtering else None)
    if not possible.scope:
        reasons["sockets"] = NO_SCOPE
    if not possible.files:
        reasons["files"] = NO_FILES
    if possible.filter is None:
        reasons.setdefault("syscalls", NO_FILTER)
    return replace(possible, reasons=reasons)


def _compiled(reasons: dict[str, str]) -> bytes | None:
    try:
        return syscalls.compile_filter()
    except OSError as error:
        reasons["syscalls"] = f"The library libseccomp doesn't work here ({error}); {syscalls.REMEDY}"
        return None


def _works(confinement: Confinement, env: dict[str, str], filter_file: Path) -> bool:
    command = confinement.command(filter_file, sandboxed=False, paths=[])
    try:
        env = {**env, **library_path()}
        done = subprocess.run([*command, "/bin/true"], env=env, cwd="/", capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _system() -> list[str]:
    """The system's own files, and no device but the harmless ones and the server's terminal."""
    readable = ["/usr", *(f"/{name}" for name in SYSTEM), *(f"/etc/{name}" for name in (*etc(), "passwd", "group"))]
    readable += ["/proc", "/sys/devices/system/cpu"]
    writable = ["tty", *(f"/dev/{name}" for name in DEVICES)]
    return [*(f"read={path}" for path in readable), *(f"write={path}" for path in writable)]
