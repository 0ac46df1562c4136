"""What the shell completes where a command takes a blueprint."""

from __future__ import annotations

from stellar.commands.completion import completes

complete_blueprint = completes("blueprints_blueprint", "name", "title")
