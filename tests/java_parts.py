"""Programs in Java, compiled by this machine's own tools."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def jar_of(folder: Path, name: str, source: str) -> bytes:
    """A JAR file of one class, compiled here."""
    if not shutil.which("javac"):
        pytest.skip("this machine lacks javac; apt-get install default-jdk-headless")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.java").write_text(source)
    command = ["javac", "--release", "8", "-Xlint:-options", "-d", str(folder / "classes"), f"{name}.java"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / "manifest").write_text(f"Main-Class: {name}\n")
    subprocess.run(["jar", "cfm", f"{name}.jar", "manifest", "-C", "classes", "."], cwd=folder, check=True)
    return (folder / f"{name}.jar").read_bytes()
