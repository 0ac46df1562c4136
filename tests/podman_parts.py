"""A real Podman behind its Docker socket for tests, with files and a network of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from docker_parts import BUSYBOX, EGG, GAME, Daemon, root_file_system

NETAVARK = next(
    (file for file in ("/usr/lib/podman/netavark", "/usr/libexec/podman/netavark") if Path(file).exists()), None
)
MISSING = [
    package
    for package, there in {
        "podman": shutil.which("podman"),
        "netavark": NETAVARK,
        "catatonit": shutil.which("catatonit"),
        "runc": shutil.which("runc"),
        "iptables": shutil.which("iptables"),
        "iproute2": shutil.which("ip"),
        "busybox-static": BUSYBOX,
    }.items()
    if there is None
]
SETTINGS = """[network]
network_backend = "netavark"
network_config_dir = "{directory}/networks"
[engine]
runtime = "runc"
[engine.runtimes]
runc = ["{directory}/runc"]
"""
RUNC = """#!/bin/sh
previous=
for word in "$@"; do
    file=
    case $previous in
        --bundle) file=$word/config.json ;;
        --process) file=$word ;;
    esac
    [ -z "$file" ] || sed -i 's/"rlimits":[[][^]]*[]]/"rlimits":[]/' "$file"
    previous=$word
done
exec runc "$@"
"""
"""Podman wants limits on open files as high as a kernel allows, which not every machine's root may set."""
REGISTRIES = """[[registry]]
location = "127.0.0.1:1"
blocked = true
[[registry]]
location = "127.0.0.1"
insecure = true
"""


class Podman(Daemon):
    """``podman system service``; ``runc``, because ``crun`` refuses machines with both versions of control groups."""

    def command(self) -> list[str]:
        run = self.directory
        (run / "containers.conf").write_text(SETTINGS.format(directory=run))
        (run / "registries.conf").write_text(REGISTRIES)
        (run / "runc").write_text(RUNC)
        (run / "runc").chmod(0o755)
        places = ["--root", f"{run}/root", "--runroot", f"{run}/runroot", "--tmpdir", f"{run}/tmp"]
        ways = ["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file"]
        environment = [f"CONTAINERS_CONF={run}/containers.conf", f"CONTAINERS_REGISTRIES_CONF={run}/registries.conf"]
        return ["env", *environment, "podman", *places, *ways, "system", "service", "--time=0", self.host]

    def load(self, name: str, *changes: str, entrypoint: bool = False) -> None:
        query = httpx.QueryParams([("fromSrc", "-"), ("repo", name), *[("changes", change) for change in changes]])
        self.call("POST", f"/images/create?{query}", content=root_file_system(entrypoint=entrypoint))

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the service; its containers know nothing of it."""
        super().stop(number)
        self.socket.unlink(missing_ok=True)

    def problem(self) -> str:
        """Why this machine lets Podman run nothing; empty where it does."""
        body = json.dumps({"Image": GAME, "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}).encode()
        try:
            made = self.call("POST", "/containers/create", content=body).json()["Id"]
            self.call("POST", f"/containers/{made}/start")
            self.call("POST", f"/containers/{made}/wait")
            self.call("DELETE", f"/containers/{made}", force=1)
        except httpx.HTTPStatusError as error:
            return error.response.text
        return ""

    def remove(self) -> None:
        if self.process is not None:
            for one in self.containers():
                with contextlib.suppress(httpx.HTTPError):
                    self.call("DELETE", f"/containers/{one['Id']}", force=1)
        super().remove()


def running_podman() -> Iterator[Podman]:
    """For fixtures: a Podman with the images of ``docker_parts``."""
    if os.geteuid() != 0:
        pytest.skip("a Podman of the test's own needs root")
    if MISSING:
        pytest.skip(f"there is no Podman to test with: apt-get install -y {' '.join(MISSING)}")
    podman = Podman()
    try:
        podman.start()
        podman.load(GAME)
        if problem := podman.problem():
            pytest.skip(f"optional: Podman can't run containers on this machine: {problem}")
        podman.load(EGG, "WORKDIR /home/container", 'CMD ["/bin/sh", "/entrypoint.sh"]', entrypoint=True)
        yield podman
    finally:
        podman.remove()
