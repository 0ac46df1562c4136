"""Which block device holds a directory, and what that heeds."""

from __future__ import annotations

import os
from pathlib import Path

DEVICES = Path("/sys/dev/block")
COST_MODEL = Path("/sys/fs/cgroup/io.cost.qos")
UNKNOWN = "The files are on no block device of their own, so that nothing shares its I/O by weight."
NO_WEIGHTS = "The disk {name} has the I/O scheduler {scheduler}, which knows no weights; {remedy}"
REMEDY = "use bfq: echo bfq > /sys/block/{name}/queue/scheduler (and a udev rule to keep it)."


def why_no_weights(directory: Path) -> str:
    """Why the disk below a directory ignores I/O weights; empty where it heeds them."""
    number = os.stat(directory).st_dev  # noqa: PTH116 (alike for all kinds of path)
    device = DEVICES / f"{os.major(number)}:{os.minor(number)}"
    if not device.exists():
        return UNKNOWN
    whole = device.resolve()
    whole = whole.parent if (whole / "partition").exists() else whole
    try:
        scheduler = (whole / "queue/scheduler").read_text().partition("[")[2].partition("]")[0]
    except OSError:
        return UNKNOWN
    if scheduler == "bfq" or _has_cost_model(whole):
        return ""
    remedy = REMEDY.format(name=whole.name)
    return NO_WEIGHTS.format(name=whole.name, scheduler=scheduler or "none", remedy=remedy)


def _has_cost_model(device: Path) -> bool:
    try:
        number = (device / "dev").read_text().strip()
        lines = COST_MODEL.read_text().splitlines()
    except OSError:
        return False
    return any(line.startswith(f"{number} ") and "enable=1" in line for line in lines)
