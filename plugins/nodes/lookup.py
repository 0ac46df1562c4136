"""Finding the node or location that somebody names on a command line."""

from __future__ import annotations

from stellar.commands.meant import did_you_mean
from stellar.errors import NotFound

from . import locations, service
from .models import Location, Node


def find_node(ref: str) -> Node:
    """A node by name or id; ``NotFound`` says what may have been meant."""
    try:
        return service.get_node(ref)
    except NotFound:
        hint = did_you_mean(ref, (one.name for one in service.list_nodes()))
        raise NotFound(f"There is no node {ref}. {hint or '`stellar node list` has them all.'}") from None


def find_location(ref: str) -> Location:
    """The same of a location."""
    try:
        return locations.get_location(ref)
    except NotFound:
        hint = did_you_mean(ref, (one.name for one in locations.list_locations()))
        raise NotFound(f"There is no location {ref}. {hint or '`stellar location list` has them all.'}") from None
