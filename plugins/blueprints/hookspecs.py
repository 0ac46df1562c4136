"""The hooks that the blueprints plugin offers to others."""

from __future__ import annotations

from stellar.extend import hookspec


@hookspec
def blueprint_uses(blueprint_id: str) -> int:
    """How many servers of the plugin are made from a blueprint; it can't be deleted while there are any."""
    return 0


@hookspec
def blueprint_changed(blueprint_id: str) -> None:
    """A blueprint has been changed, and that has been committed. Called in a database thread."""
