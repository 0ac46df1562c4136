"""The sections ``[servers]`` (panel) and ``[docker]`` (a node's own machine)."""

from __future__ import annotations

from typing import Annotated

import msgspec


class ServersSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``user_limit``: how many servers an account that isn't an administrator's may have; 0: they can't make any.

    ``allocation_limit``: up to how many ports a server can be given more; what its blueprint asks for it always gets.
    """

    user_limit: int = 0
    allocation_limit: int = 5


class DockerSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The section ``[docker]`` of a node: its Docker or Podman.

    ``host``: its address (``unix://…``), or ``off``; empty: ``DOCKER_HOST``, else the first usual socket that is there.
    ``network``: the servers' bridge; empty: one of the agent's own. ``dns``: what servers ask; empty: as the machine.
    ``mounts``: directories of the machine below which servers may be given more mounts.
    ``tmp_mb``: the size of a server's ``/tmp``. ``log_mb``: of each of the four files in which Docker keeps its output.
    """

    host: str = ""
    network: Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,62})?$")] = ""
    dns: list[str] = []
    mounts: list[str] = []
    tmp_mb: Annotated[int, msgspec.Meta(ge=1)] = 100
    log_mb: Annotated[int, msgspec.Meta(ge=1)] = 20
