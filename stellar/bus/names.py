"""The channel and key names, a public contract: written here once."""

from __future__ import annotations

EVENTS_GLOBAL = "stellar:events:global"

FEED = "events:log"
"""Key: the latest events, which browsers follow and resume; see ``feed``."""

QUEUE_DEPLOYMENTS = "deployments"
QUEUE_BACKUPS = "backups"
QUEUE_PREFIX = "queue:"

SERVER_STATUS_TTL = 30
NODE_METRICS_TTL = 10


def node_commands(node_id: str) -> str:
    """Channel: panel to node."""
    return f"stellar:nodes:{node_id}:commands"


def node_events(node_id: str) -> str:
    """Channel: node to panel."""
    return f"stellar:nodes:{node_id}:events"


def node_heartbeat(node_id: str) -> str:
    """Channel: a node's signs of life."""
    return f"stellar:nodes:{node_id}:heartbeat"


def server_status(server_id: str) -> str:
    """Channel: a server's state changes."""
    return f"stellar:servers:{server_id}:status"


def server_metrics(server_id: str) -> str:
    """Channel: a server's CPU, memory and so on."""
    return f"stellar:servers:{server_id}:metrics"


def server_logs(server_id: str) -> str:
    """Channel: a server's console output, while somebody watches."""
    return f"stellar:servers:{server_id}:logs"


def cache_server_status(server_id: str) -> str:
    """Key: a server's last known state, for ``SERVER_STATUS_TTL`` seconds."""
    return f"cache:server:{server_id}:status"


def cache_node_metrics(node_id: str) -> str:
    """Key: a node's last figures, for ``NODE_METRICS_TTL`` seconds."""
    return f"cache:node:{node_id}:metrics"


def session(token_hash: str) -> str:
    """Key: a session, by the hash of its token."""
    return f"session:{token_hash}"


def ratelimit(address: str, endpoint: str) -> str:
    """Key: how often an address (or account) has used an endpoint."""
    return f"ratelimit:{address}:{endpoint}"


def job_cancel(job_id: str) -> str:
    """Key: the worker that runs this job is to stop it."""
    return f"jobs:cancel:{job_id}"
