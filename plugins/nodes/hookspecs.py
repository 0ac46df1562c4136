"""The hooks that the nodes plugin offers to others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stellar.extend import hookspec

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from stellar.auth.permissions import Actor

    from .reports import ReportRegistrar


@hookspec
def register_node_reports(reports: ReportRegistrar) -> None:
    """Say which reports of nodes the plugin applies; called once, after ``startup`` of the nodes plugin."""


@hookspec
def node_specs(node_id: str) -> Sequence[dict[str, Any]]:
    """Everything that the plugin wants on a node, sent to it on every connect. Called in a database thread."""
    return ()


@hookspec
def node_server_ids(node_id: str) -> Sequence[str]:
    """The ids of the servers for which a node may speak. Called in a database thread."""
    return ()


@hookspec
def node_server_names(actor: Actor, server_ids: Collection[str]) -> Mapping[str, str]:
    """What servers are called, by their ids, for the page of their node; only of those that ``actor`` may see.

    Called in a database thread.
    """
    return {}


@hookspec
def node_changed(node_id: str) -> None:
    """Hear of a node that has been given another location, or whose location has another name.

    Called after the transaction, in a database thread.
    """


@hookspec
def node_removed(actor: Actor, node_id: str) -> None:
    """Forget everything that the plugin keeps on a node, which an administrator removes with all that it has.

    Called in the transaction that removes it.
    """
