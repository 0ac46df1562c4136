"""The runtime ``docker`` of an agent, and where its Docker is.

The package ``docker`` and the library below it take 10 MB, a quarter of an idle agent: they are imported where there
is a Docker, or a server that ran in one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from stellar.errors import Unavailable

from ..settings import DockerSettings
from .runtime import Launch, OnExit, OnOutput, Protection, Run

if TYPE_CHECKING:
    from .docker.runtime import DockerRuntime

OFF = "off"
SOCKETS = ("/var/run/docker.sock", "/run/podman/podman.sock")
NO_DOCKER = (
    "There is neither Docker nor Podman here; install one (`apt-get install -y docker.io`) or set `host` in [docker]."
)


def docker_host(settings: DockerSettings) -> str:
    """Docker's address: the settings', else ``DOCKER_HOST``, else the first usual socket; ``Unavailable`` for none."""
    if settings.host == OFF:
        raise Unavailable("Docker is switched off in the configuration.", code="no_docker")
    if named := settings.host or os.environ.get("DOCKER_HOST", ""):
        return named
    places = [*SOCKETS, f"/run/user/{os.geteuid()}/podman/podman.sock", f"/run/user/{os.geteuid()}/docker.sock"]
    found = next((place for place in places if Path(place).is_socket()), None)
    if found is None:
        raise Unavailable(NO_DOCKER, code="no_docker")
    return f"unix://{found}"


class Containers:
    """Runs servers as ``DockerRuntime`` does, as soon as there is a Docker."""

    name = "docker"
    bridged = True

    def __init__(self, agent_data: Path, settings: DockerSettings) -> None:
        self._data = agent_data
        self._settings = settings
        self._runtime: DockerRuntime | None = None

    async def protection(self) -> Protection:
        """What Docker says that it enforces here; ``Unavailable`` where there is none."""
        return await self._with_docker().protection()

    async def node_address(self, server_id: str) -> str:
        """The node's address on the server's bridge."""
        return await self._with_docker().node_address(server_id)

    async def prepare(self, launch: Launch, on_output: OnOutput) -> None:
        """Make the server's directories, and have the image here."""
        await self._with_docker().prepare(launch, on_output)

    async def start(self, launch: Launch, on_output: OnOutput, on_exit: OnExit) -> Run:
        """Make its container, attach, and start it."""
        return await self._with_docker().start(launch, on_output, on_exit)

    async def attach(self, root: Path, on_output: OnOutput, on_exit: OnExit) -> Run | None:
        """Take up a run of an earlier agent, also while Docker is away."""
        return await self._loaded().attach(root, on_output, on_exit)

    async def close(self) -> None:
        """End the connections; containers go on."""
        if self._runtime is not None:
            await self._runtime.close()

    def _with_docker(self) -> DockerRuntime:
        if self._runtime is None:
            docker_host(self._settings)
        return self._loaded()

    def _loaded(self) -> DockerRuntime:
        if self._runtime is None:
            from .docker.runtime import DockerRuntime

            self._runtime = DockerRuntime(self._data, self._settings)
        return self._runtime
