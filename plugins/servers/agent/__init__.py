"""What the servers plugin runs on a node."""

from __future__ import annotations

from stellar.extend.agent import AgentRegistrar


def register(agent: AgentRegistrar) -> None:
    """Register the calls, the tasks and the start and stop of the servers' agent."""
    from .handlers import wire

    wire(agent)
