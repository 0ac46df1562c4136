"""What the files plugin runs on a node."""

from __future__ import annotations

from stellar.extend.agent import AgentRegistrar


def register(agent: AgentRegistrar) -> None:
    """Register the calls, and the tending of uploads."""
    from .handlers import wire

    wire(agent)
