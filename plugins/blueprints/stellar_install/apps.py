"""Programs of the owner's own: from a Git repository, or uploaded."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .console import fail, option, say

IGNORED = frozenset({".stellar", ".cache", ".npm", ".venv", "node_modules"})
"""What is here without anybody having put it here."""


def fetch_source() -> None:
    """Clone GIT_URL (at GIT_BRANCH, if given), or bring the clone up to date; nothing without a GIT_URL."""
    url, branch = option("GIT_URL"), option("GIT_BRANCH")
    if not url:
        say("No Git repository is given: upload the program's files.")
        return
    if shutil.which("git") is None:
        fail("Git is missing. Install it on the node with: apt-get install git")
    if Path(".git").is_dir():
        run(["git", "fetch", "origin", branch or "HEAD"], "The repository can't be fetched")
        changed = "The repository can't be brought up to date: files here were changed. Undo that, or delete them"
        run(["git", "merge", "--ff-only", "FETCH_HEAD"], changed)
        return
    if present := sorted({path.name for path in Path().iterdir()} - IGNORED):
        fail(f"There are files here already ({', '.join(present[:5])}): empty the folder, or leave GIT_URL empty.")
    own = ["--branch", branch] if branch else []
    run(["git", "clone", "--progress", *own, "--", url, ".stellar-clone"], "The repository can't be cloned")
    for path in Path(".stellar-clone").iterdir():
        path.replace(path.name)
    Path(".stellar-clone").rmdir()


def packages() -> list[str]:
    """What the variable PACKAGES names, by blanks."""
    found = option("PACKAGES").split()
    if wrong := [name for name in found if name.startswith("-")]:
        fail(f"{wrong[0]} is an option, not a package.")
    return found


def run(command: Sequence[str], problem: str) -> None:
    """Run a command; where it fails, ``problem`` ends the install."""
    environment = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "https:http",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    say(f"$ {' '.join(command)}")
    if subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        fail(f"{problem}; the reason is above.")
