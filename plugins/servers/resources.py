"""The rules of what a server may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stellar.errors import Invalid
from stellar.plugins.blueprints.structs import Blueprint as Document
from stellar.plugins.nodes import presence

from .processors import check_processors, parse_processors

UNITS = {"memory_mb": "MiB", "cpu_percent": "%", "disk_mb": "MiB"}
"""What a blueprint recommends."""
FINE = ("swap_mb", "cpu_set", "io_weight", "pids", "oom_kill")
"""What a blueprint says nothing about."""


def check_resources(chosen: Mapping[str, Any], document: Document) -> None:
    """``Invalid`` names what is less than a blueprint needs (0 is no limit and always enough), or makes no sense."""
    problems: dict[str, str] = {}
    for key, value in chosen.items():
        if key in UNITS:
            minimum = getattr(document.resources, key).minimum
            if 0 < value < minimum:
                problems[key] = f"has to be at least {minimum} {UNITS[key]} for {document.title}"
        elif key == "cpu_set" and parse_processors(value) is None:
            problems[key] = "has to name processors such as 0-1,3"
    if problems:
        field, problem = next(iter(problems.items()))
        raise Invalid(f"{field} {problem}.", fields=problems)


def check_on_node(node_id: str, cpu_set: str) -> None:
    """``Conflict`` for processors that the node is known not to have."""
    cores = presence.cores_now(node_id) if cpu_set else None
    if cores is not None:
        check_processors(cpu_set, range(cores))
