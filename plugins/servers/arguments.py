"""What commands of servers share in reading what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellar.commands.opened import on_bus

if TYPE_CHECKING:
    from stellar.panel import Panel
    from stellar.plugins.blueprints.models import Blueprint
    from stellar.plugins.nodes.models import Node


def pairs(given: tuple[str, ...]) -> dict[str, str]:
    """Variables that are given as ``NAME=VALUE``; ``Invalid``."""
    return dict(_pair(text) for text in given)


def _pair(text: str) -> tuple[str, str]:
    from stellar.errors import Invalid

    name, equals, value = text.partition("=")
    if not equals:
        raise Invalid(f"A variable is given as NAME=VALUE, not {text!r}.")
    return name, value


def choose_place(
    panel: Panel, nodes: list[Node], blueprint: Blueprint, promised: dict[str, int], runtime: str | None = None
) -> tuple[Node, str]:
    """``placement.choose`` for a command, which has no bus yet."""
    from stellar.plugins.blueprints.service import document_of

    from . import placement

    async def choose() -> tuple[Node, str]:
        placement.begin()
        return await placement.choose(nodes, document_of(blueprint), promised, runtime)

    return on_bus(panel, choose)
