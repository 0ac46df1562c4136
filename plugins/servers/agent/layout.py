"""Where a server's things are on a node."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TRIAL = ".try-"
"""How directories beside the servers' begin in which it is tried out what this machine can do."""


@dataclass(frozen=True)
class Layout:
    """One server's directory. Only ``data`` is the game's own; the rest it never sees."""

    root: Path

    @property
    def data(self) -> Path:
        """The game's files: its home and working directory."""
        return self.root / "data"

    @property
    def console(self) -> Path:
        """The console log's segments, each named by its base offset (20 digits) plus ``.log``."""
        return self.root / "console"

    @property
    def run(self) -> Path:
        """The keeper's files: socket, launch, exit status."""
        return self.root / "run"

    @property
    def history(self) -> Path:
        """Its past figures."""
        return self.root / "history"

    @property
    def spec(self) -> Path:
        """The last known ``ServerSpec`` as JSON."""
        return self.root / "spec.json"

    @property
    def state(self) -> Path:
        """What the agent remembers of the server (installed, wanted power, …) as JSON."""
        return self.root / "state.json"


def server_layout(agent_data: Path, server_id: str) -> Layout:
    """The layout of a server below the agent's data directory."""
    return Layout(agent_data / "servers" / server_id)
