"""The sections ``[nodes]`` (panel) and ``[agent]`` (a node's own machine)."""

from __future__ import annotations

import msgspec


class NodesSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``local``: whether ``stellar run`` makes its own machine a node, with these ports for game servers."""

    local: bool = True
    local_ports: str = "25565-25664"
    join_token_minutes: int = 60


class AgentSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The agent's own.

    ``mirrors``: where install scripts fetch from instead, as ``https://source=http://mirror``.
    """

    sandbox: bool = True
    mirrors: list[str] = []
