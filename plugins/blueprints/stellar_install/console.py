"""Talking to whoever watches the install, and what they have chosen."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

OWN = Path(".stellar")
"""Where an install keeps what isn't the owner's: below the server's folder, in which it runs."""


def say(message: str) -> None:
    """A line of the install's log."""
    print(message, flush=True)


def fail(message: str) -> NoReturn:
    """End the install; ``message`` says what to do about it."""
    print(f"[!] {message}", flush=True)
    sys.exit(1)


def option(name: str, default: str = "") -> str:
    """The value of a variable of the blueprint, ``default`` where it is empty."""
    return os.environ.get(name, "").strip() or default


def own_folder() -> Path:
    """``OWN``, made if need be."""
    OWN.mkdir(exist_ok=True)
    return OWN


def image() -> str:
    """The container image that the server will run in; empty where it runs as a process of its node."""
    return os.environ.get("STELLAR_IMAGE", "")


def put(path: Path, text: str) -> None:
    """Write a file as a whole, or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
