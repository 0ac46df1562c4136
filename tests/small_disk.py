"""A disk that is soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(directory: Path) -> Iterator[None]:
    """64 KiB mounted on ``directory``; skips the test where mounting isn't allowed."""
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", directory]
    if os.geteuid() or subprocess.run(command, check=False).returncode:
        pytest.skip("optional: mounting isn't allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", directory], check=True)
