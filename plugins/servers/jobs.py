"""Jobs about servers."""

from __future__ import annotations

import time

from stellar.bus import sync
from stellar.db import after_commit, disconnect, write_tx
from stellar.errors import DomainError, NotFound

from . import events
from .calls import Apply, Result, StateQuery, StateResult
from .models import Install, Server
from .service import announce
from .spec import ServerSpec
from .specs import spec_of

APPLY_SECONDS = 30.0
STATE_SECONDS = 5.0
CANCELLED = "The install was cancelled before the server's node was told of it. Install it again when you like.\n"


def install(server_id: str) -> None:
    """Tell a server's node what is wanted; the node installs, reports progress on the console and then the result.

    Telling twice does no harm: a node does an install with the same id once. It is told again when what is wanted has
    changed meanwhile, since the job that this change began may have been faster. A server that was deleted while the
    job waited wants nothing any more, which is no failure that an administrator should look into.
    """
    told: tuple[str, ServerSpec] | None = None
    wanted = _still_wanted(server_id)
    while wanted is not None and wanted != told:
        disconnect()
        node_id, spec = wanted
        sync.call(node_id, "servers.apply", Apply(spec), returns=Result, timeout=APPLY_SECONDS)
        told, wanted = wanted, _still_wanted(server_id)


def install_cancelled(server_id: str) -> None:
    """A cancelled install has failed, so that it can be tried again; unless the node has been told of it already."""
    server = Server.get_or_none(Server.id == server_id, Server.state == "installing")
    if server is None or _installs(server):
        return
    now = time.time()
    with write_tx():
        same = (Server.id == server.id) & (Server.install_id == server.install_id) & (Server.state == "installing")
        if not Server.update(state="install_failed").where(same).execute():
            return
        Install.delete().where(Install.server == server).execute()
        Install.create(
            server=server,
            install_id=server.install_id,
            ok=False,
            exit_code=None,
            log=CANCELLED,
            started_at=now,
            finished_at=now,
        )
        after_commit(lambda: announce("server.updated", server.id))
        after_commit(lambda: events.tell(server, "installed", {"ok": False}))


def _installs(server: Server) -> bool:
    try:
        query = StateQuery(server.id)
        found = sync.call(server.node_id, "servers.state", query, returns=StateResult, timeout=STATE_SECONDS)
    except DomainError:
        return False  # it is away, or has never heard of the server
    return found.install is not None and found.install.id == server.install_id


def _still_wanted(server_id: str) -> tuple[str, ServerSpec] | None:
    try:
        return spec_of(server_id)
    except NotFound:
        return None
