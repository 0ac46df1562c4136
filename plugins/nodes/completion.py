"""What the shell completes where a command takes a node or a location."""

from __future__ import annotations

from stellar.commands.completion import completes

complete_node = completes("nodes_node", "name", "hostname")
complete_location = completes("nodes_location", "name", "description")
