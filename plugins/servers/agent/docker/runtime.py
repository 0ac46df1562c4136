"""Runs servers as containers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import time
from pathlib import Path
from typing import Any

from stellar.errors import Conflict, Invalid, Unavailable

from ...settings import DockerSettings
from .. import disks, sandbox
from ..containers import docker_host
from ..layout import Layout
from ..runtime import Launch, OnExit, OnOutput, Protection
from . import container, images, mounts, network, podman
from .client import BROKEN, Client, hang_up, reason
from .images import Image
from .output import Console, Mark, Saved
from .registries import registries_file
from .run import ContainerRun

NEWEST_EVERY = 24 * 3600.0
"""How often a registry is asked whether it has a newer image of the same name."""
SHELL = re.compile(r"/?[a-z][a-z0-9_./-]{0,63}", re.ASCII)


class DockerRuntime:
    """Runs servers as containers of the Docker (or Podman) that answers on this machine.

    ``agent_data`` is the agent's own directory: what is made in Docker carries a label that says whose it is.
    """

    name = "docker"
    bridged = True

    def __init__(self, agent_data: Path, settings: DockerSettings | None = None) -> None:
        self._data = agent_data
        self._settings = settings or DockerSettings()
        self._client: Client | None = None
        self._info: dict[str, Any] = {}
        self._images: dict[Path, Image] = {}
        self._looked_up: dict[str, float] = {}
        self._network = network.network_name(self._settings.network, agent_data)
        self._making_network = asyncio.Lock()

    async def node_address(self, server_id: str) -> str:
        """The node's address on the server's bridge."""
        return (await self._ensure_network(server_id)).gateway

    async def close(self) -> None:
        """End the connections; containers go on."""
        if self._client is not None:
            await self._client.close()

    async def protection(self) -> Protection:
        """What Docker says that it enforces here; ``Unavailable`` where there is none."""
        info = await self._examine()
        options = " ".join(info.get("SecurityOptions") or [])
        no_weights = await asyncio.to_thread(disks.why_no_weights, _existing(self._data / "servers"))
        active = {
            "sandbox": True,
            "own_uid": self._own_uid(info),
            "files": True,
            "processes": True,
            "syscalls": "seccomp" in options,
            "network": True,
            "memory": bool(info.get("MemoryLimit")),
            "swap": bool(info.get("SwapLimit")),
            "oom": bool(info.get("OomKillDisable")),
            "cpu": bool(info.get("CpuCfsQuota") or info.get("CPUCfsQuota")),
            "cpuset": bool(info.get("CPUSet")),
            "pids": bool(info.get("PidsLimit")),
            "io": not no_weights and not any("blkio weight" in line.lower() for line in info.get("Warnings") or []),
        }
        reasons = dict.fromkeys(active, "Docker says that this machine's kernel doesn't support it.")
        reasons["own_uid"] = (
            "Docker runs without root, so that every server has the rights of its user, within its own container."
            if _is_rootless(info)
            else "The agent doesn't run as root, so every server runs as the agent's user, in its own container."
        )
        reasons["syscalls"] = "Docker runs without seccomp: containers may make every system call."
        if no_weights:
            reasons["io"] = no_weights
        return Protection(active, {name: reasons[name] for name, works in active.items() if not works})

    async def prepare(self, launch: Launch, on_output: OnOutput) -> None:
        """Make the server's directories, and have the image here; how that goes is said in the console."""
        if not launch.image:
            raise Invalid("The server's blueprint names no image, so it can't run in Docker.", code="no_image")
        if not SHELL.fullmatch(launch.shell):
            raise Invalid(f"{launch.shell!r} can't run an install script; use /bin/sh, bash or ash.", code="bad_shell")
        info = await self._examine()
        own_uid = self._own_uid(info)
        abilities = sandbox.Abilities(bwrap=True, own_uid=own_uid, setpriv=True)
        await asyncio.to_thread(make_files, launch, abilities)
        console = Console(Layout(launch.root), on_output)
        try:
            newest = time.monotonic() - self._looked_up.get(launch.image, -NEWEST_EVERY) >= NEWEST_EVERY
            secrets_file = registries_file(self._data)
            found = await images.ensure(self._connection(), launch.image, secrets_file, console.say, newest=newest)
        finally:
            console.close()
        self._looked_up[launch.image] = time.monotonic()
        self._images[launch.root] = found

    async def start(self, launch: Launch, on_output: OnOutput, on_exit: OnExit) -> ContainerRun:
        """Make its container, attach, and start it; ``Conflict`` where one runs already."""
        layout, client = Layout(launch.root), self._connection()
        if launch.root not in self._images:
            await self.prepare(launch, on_output)
        image = self._images.pop(launch.root)
        await self._make_way(launch.server_id)
        host = await self._host(launch)
        name = f"stellar-{launch.server_id}-{secrets.token_hex(3)}"
        try:
            made = await client.json(
                "containers/create", "POST", params={"name": name}, data=container.config(launch, image, host)
            )
        except BROKEN as error:
            raise Unavailable(f"The server's container can't be made: {reason(error)}.") from error
        console_end = Console(layout, on_output)
        saved = Saved(
            container=made["Id"],
            server_id=launch.server_id,
            kind=launch.kind,
            started_at=time.time(),
            log_start=console_end.end,
            mark=Mark("", console_end.end),
            owner=sandbox.server_uid(launch.server_id)
            if launch.kind == "install" and self._own_uid(self._info)
            else None,
            network=host.network if await client.is_podman() else "",
        )
        console_end.close()
        saved.save(layout)
        stream = None
        try:
            stream = await client.attach(saved.container)
            run = ContainerRun(client, layout, saved, on_output, on_exit, stream=stream)
            await client.json(f"containers/{saved.container}/start", "POST")
        except BROKEN as error:
            await hang_up(stream)
            with contextlib.suppress(*BROKEN):
                await client.remove(saved.container)
                if saved.network:
                    await client.remove_network(saved.network)
            saved.forget(layout)
            raise _not_started(error) from error
        run.follow()
        return run

    async def attach(self, root: Path, on_output: OnOutput, on_exit: OnExit) -> ContainerRun | None:
        """Take up a run of an earlier agent, also while Docker is away."""
        layout = Layout(root)
        saved = Saved.load(layout)
        if saved is None:
            return None
        run = ContainerRun(self._connection(), layout, saved, on_output, on_exit)
        run.follow()
        return run

    def _connection(self) -> Client:
        """``Unavailable`` where no socket is; one that comes up later is found then."""
        if self._client is None:
            self._client = Client(docker_host(self._settings))
        return self._client

    async def _examine(self) -> dict[str, Any]:
        self._info = await self._connection().info()
        if await self._connection().is_podman():
            podman.check(self._info)
        return self._info

    async def _host(self, launch: Launch) -> container.Host:
        info = await self._examine()
        is_podman = await self._connection().is_podman()
        bridge = await self._ensure_network(launch.server_id)
        if self._own_uid(info):
            uid = gid = sandbox.server_uid(launch.server_id)
        elif _is_rootless(info):
            uid = gid = 0  # root of the container is nobody but Docker's own user outside
        else:
            uid, gid = os.geteuid(), os.getegid()
        return container.Host(
            settings=self._settings,
            agent=network.agent_id(self._data),
            network=bridge.name,
            user=f"{uid}:{gid}",
            has_init=podman.has_init() if is_podman else bool(info.get("InitBinary")),
            remaps_users=any("name=userns" in option for option in info.get("SecurityOptions") or []),
            extra_mounts=await asyncio.to_thread(mounts.extra, launch.mounts, self._settings.mounts, self._data),
        )

    async def _ensure_network(self, server_id: str) -> network.Network:
        """The network that a server is on; it is there afterwards."""
        name, label = self._network, network.agent_id(self._data)
        async with self._making_network:
            if await self._connection().is_podman():
                return await podman.ensure_network(self._connection(), f"{name}-{server_id}", label)
            return await network.ensure(self._connection(), name, label)

    async def _make_way(self, server_id: str) -> None:
        """Delete what earlier runs have left; ``Conflict`` where one still runs."""
        client = self._connection()
        filters = f'{{"label": ["{container.SERVER_LABEL}={server_id}"]}}'
        try:
            left = await client.json("containers/json", params={"all": 1, "filters": filters})
            if any(one["State"] == "running" for one in left):
                raise Conflict("The server still runs; stop or kill it first.", code="already_running")
            for one in left:
                await client.remove(one["Id"])
        except BROKEN as error:
            raise Unavailable(f"Docker doesn't answer: {reason(error)}.", code="no_docker") from error

    def _owner(self, launch: Launch) -> int | None:
        if launch.kind != "install" or not self._own_uid(self._info):
            return None
        return sandbox.server_uid(launch.server_id)

    def _own_uid(self, info: dict[str, Any]) -> bool:
        return os.geteuid() == 0 and not _is_rootless(info)


def make_files(launch: Launch, abilities: sandbox.Abilities) -> None:
    """The server's directories, its names for user ids, and what installs it."""
    from ..launched import make_directories

    make_directories(launch, abilities)
    layout = Layout(launch.root)
    if launch.kind == "install":
        script = container.script_file(layout)
        script.write_text(launch.command.replace("\r\n", "\n"))
        script.chmod(0o644)
        return
    uid = sandbox.server_uid(launch.server_id) if abilities.own_uid else None
    sandbox.write_identity(layout.run, uid)


def _existing(directory: Path) -> Path:
    return next(place for place in (directory, *directory.absolute().parents) if place.exists())


def _is_rootless(info: dict[str, Any]) -> bool:
    return any("rootless" in option for option in info.get("SecurityOptions") or [])


def _not_started(error: Exception) -> Unavailable:
    why = reason(error)
    if "address already in use" in why or "port is already allocated" in why:
        return Unavailable(
            "One of the server's ports is in use on the node by something else; end that, or give the server another "
            f"port ({why}).",
            code="port_in_use",
        )
    if "cannot assign requested address" in why:
        return Unavailable(f"The node doesn't have the address of the server's port ({why}).", code="no_address")
    return Unavailable(f"The server's container can't be started: {why}.", code="start_failed")
