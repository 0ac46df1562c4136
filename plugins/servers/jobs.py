"""Jobs about servers."""

from __future__ import annotations

from stellar.bus import sync
from stellar.db import disconnect

from .calls import Apply, Result
from .specs import spec_of

APPLY_SECONDS = 30.0


def install(server_id: str) -> None:
    """Tell a server's node what is wanted; the node installs, reports progress on the console and then the result.

    Telling twice does no harm: a node does an install with the same id once.
    """
    node_id, spec = spec_of(server_id)
    disconnect()
    sync.call(node_id, "servers.apply", Apply(spec), returns=Result, timeout=APPLY_SECONDS)
