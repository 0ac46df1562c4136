"""What the shell completes where a command takes a server."""

from __future__ import annotations

from stellar.commands.completion import completes

complete_server = completes("servers_server", "short_id", "name", either=True)
