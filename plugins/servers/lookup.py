"""Finding the server that somebody names on a command line."""

from __future__ import annotations

from stellar.errors import Conflict, NotFound

from .models import Server
from .service import MISSING


def find_server(ref: str) -> str:
    """The id of the server with this id or short id, or with this name when only one has it.

    ``Conflict`` names the short ids of several, ``NotFound`` is without one.
    """
    found = list(Server.select().where((Server.id == ref) | (Server.short_id == ref)))
    found = found or list(Server.select().where(Server.name == ref).order_by(Server.short_id))
    if not found:
        raise NotFound(f"{MISSING} `stellar server list` has them all.")
    if len(found) > 1:
        ids = ", ".join(one.short_id for one in found)
        raise Conflict(f"{len(found)} servers are called {ref}: name one of {ids}.")
    return str(found[0].id)
