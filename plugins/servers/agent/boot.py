"""Telling a machine that was started again from an agent that was."""

from __future__ import annotations

from pathlib import Path


def this_boot() -> str:
    """Changes with every boot of the machine, and of the container that the agent runs in.

    That is the kernel's id, and when the first process began.
    """
    kernel = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    try:
        began = Path("/proc/1/stat").read_text().rpartition(") ")[2].split()[19]
    except (OSError, IndexError):  # /proc may hide other users' processes
        began = ""
    return f"{kernel}:{began}"
