"""Jobs about servers."""

from __future__ import annotations

from stellar.bus import sync
from stellar.db import disconnect
from stellar.errors import NotFound

from .calls import Apply, Result
from .spec import ServerSpec
from .specs import spec_of

APPLY_SECONDS = 30.0


def install(server_id: str) -> None:
    """Tell a server's node what is wanted; the node installs, reports progress on the console and then the result.

    Telling twice does no harm: a node does an install with the same id once. It is told again when what is wanted has
    changed meanwhile, since the job that this change began may have been faster.
    """
    told: tuple[str, ServerSpec] | None = None
    wanted: tuple[str, ServerSpec] | None = spec_of(server_id)
    while wanted is not None and wanted != told:
        disconnect()
        node_id, spec = wanted
        sync.call(node_id, "servers.apply", Apply(spec), returns=Result, timeout=APPLY_SECONDS)
        told, wanted = wanted, _still_wanted(server_id)


def _still_wanted(server_id: str) -> tuple[str, ServerSpec] | None:
    try:
        return spec_of(server_id)
    except NotFound:
        return None
