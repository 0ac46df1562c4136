"""Having a server's node start, stop, restart or kill it: for responders, and for the command line."""

from __future__ import annotations

from stellar.bus import sync
from stellar.bus.bus import current
from stellar.db import call

from .calls import STARTING, Apply, Power, PowerAction, PowerResult, Result
from .models import Server
from .specs import spec_of

SECONDS = 10.0


async def begin(server: Server, action: PowerAction) -> str:
    """Begin an action; the state that the server is in then.

    What was just changed counts for a start, also where the worker hasn't told the node yet.
    """
    if action in STARTING:
        node_id, spec = await call(spec_of, server.id)
        await current().call(node_id, "servers.apply", Apply(spec), returns=Result, timeout=SECONDS)
    asked = Power(server.id, action)
    result = await current().call(server.node_id, "servers.power", asked, returns=PowerResult, timeout=SECONDS)
    return result.state


def begin_sync(server: Server, action: PowerAction) -> str:
    """The same for a process without an event loop."""
    if action in STARTING:
        node_id, spec = spec_of(server.id)
        sync.call(node_id, "servers.apply", Apply(spec), returns=Result)
    return sync.call(server.node_id, "servers.power", Power(server.id, action), returns=PowerResult).state
