"""The hooks that the servers plugin offers to others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stellar.extend import hookspec

if TYPE_CHECKING:
    from stellar.auth.permissions import Actor

    from .agent.runtimes import RuntimeRegistrar
    from .models import Server


@hookspec
def server_before_action(actor: Actor, server: Server, action: str) -> None:
    """Somebody is about to ``start``, ``stop``, ``restart``, ``kill``, ``install`` or ``delete`` a server.

    Raise a ``DomainError`` to veto it; the message is shown to them. Called in a database thread.
    """


@hookspec
def server_event(server: Server, event: str, data: dict[str, Any]) -> None:
    """Something has happened to a server; after the commit.

    ``created``, ``installed``, ``state``, ``crashed``, ``prompt``, ``disk`` (it takes more than it may, or no longer),
    ``suspended``, ``unsuspended`` or ``deleted``.

    Called in the process that wrote it, in a database thread.
    """


@hookspec
def register_runtimes(runtimes: RuntimeRegistrar) -> None:
    """Offer further ways to run servers on a node, besides ``process`` and ``docker``.

    Called once in ``stellar agent``, before its servers are taken up.
    """
