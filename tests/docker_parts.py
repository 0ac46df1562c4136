"""A real Docker daemon for tests, in a network of its own so that it can't touch the machine's Docker or firewall."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
ADDRESS, OTHER_ADDRESS = "192.0.2.1", "192.0.2.2"
"""Two addresses of the daemon's machine."""
GAME = "127.0.0.1:1/stellar/game:1"
"""An image with a shell and little else; nothing answers where its registry would be."""
EGG = "127.0.0.1:1/stellar/egg:1"
"""One that is made as those for eggs are."""
BUSYBOX = shutil.which("busybox")
MISSING = [
    package
    for package, there in {
        "docker.io": shutil.which("dockerd"),
        "iptables": shutil.which("iptables"),
        "iproute2": shutil.which("ip"),
        "busybox-static": BUSYBOX,
    }.items()
    if there is None
]
ENTRYPOINT = """#!/bin/sh
cd /home/container
echo "entrypoint of $(id -u)"
eval ${STARTUP}
"""


class Daemon:
    """``dockerd`` below a directory of its own; ``changes`` are further options."""

    def __init__(self, *options: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="stellar-docker-"))
        self.socket = self.directory / "docker.sock"
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None
        self._network: int | None = None

    @property
    def host(self) -> str:
        """For ``DOCKER_HOST``."""
        return f"unix://{self.socket}"

    def command(self) -> list[str]:
        """What runs it."""
        run = self.directory
        command = ["dockerd", "--data-root", f"{run}/data", "--exec-root", f"{run}/exec", "-p", f"{run}/pid"]
        return [*command, "-H", self.host, "--bridge=none", "--shutdown-timeout=2", "--log-level=warn", *self.options]

    def start(self) -> None:
        """Start it and wait until it answers."""
        run, command = self.directory, self.command()
        if self._network is None:
            ready = f"ip link set lo up && ip addr add {ADDRESS}/32 dev lo && ip addr add {OTHER_ADDRESS}/32 dev lo"
            command = ["unshare", "--net", "sh", "-c", f'{ready} && exec "$@"', "sh", *command]
        else:
            command = ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self._network}", *command]
        with (run / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=run)
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.HTTPError):
                self.call("GET", "/_ping")
                break
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.command()[0]} did not start: {(run / 'log').read_text()[-2000:]}")
            time.sleep(0.05)
        if self._network is None:
            self._network = os.open(f"/proc/{self.process.pid}/ns/net", os.O_RDONLY)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it: with SIGTERM it ends its containers too, with SIGKILL they know nothing of it."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(60)
            self.process = None

    def remove(self) -> None:
        """End it with everything that it has started, and delete its files."""
        self.stop()
        mark = str(self.directory).encode()
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                if mark in (folder / "cmdline").read_bytes():
                    os.kill(int(folder.name), signal.SIGKILL)
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            if (where := line.split()[1]).startswith(str(self.directory)):
                subprocess.run(["umount", "-l", where], check=False)
        if self._network is not None:
            os.close(self._network)
        shutil.rmtree(self.directory, ignore_errors=True)

    def call(self, method: str, path: str, *, content: bytes | None = None, **params: Any) -> httpx.Response:
        """One request to its API."""
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.socket)), timeout=60) as client:
            headers = {"Content-Type": "application/json" if content and content[:1] == b"{" else "application/x-tar"}
            answer = client.request(
                method, f"http://docker{path}", params=params or None, content=content, headers=headers
            )
        answer.raise_for_status()
        return answer

    def containers(self) -> list[dict[str, Any]]:
        """All of them, also those that have ended."""
        found: list[dict[str, Any]] = self.call("GET", "/containers/json", all=1).json()
        return found

    def load(self, name: str, *changes: str, entrypoint: bool = False) -> None:
        """Make an image on the spot."""
        repository, _, tag = name.rpartition(":")
        changed = [("changes", change) for change in changes]
        query = httpx.QueryParams([("fromSrc", "-"), ("repo", repository), ("tag", tag), *changed])
        self.call("POST", f"/images/create?{query}", content=root_file_system(entrypoint=entrypoint))

    def inside(self, work: Callable[[], T]) -> T:
        """What ``work`` answers in the daemon's network, where its ports are."""
        result: list[T] = []

        def enter() -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(self._network, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            result.append(work())

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join(60)
        return result[0]


def root_file_system(*, entrypoint: bool = False) -> bytes:
    """A tar of a static busybox with its commands."""
    assert BUSYBOX is not None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(BUSYBOX, "bin/busybox")
        for name in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if name != "busybox":
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
        for name in ("tmp", "etc", "proc", "sys", "dev", "home", "mnt"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(folder)
        if entrypoint:
            script = tarfile.TarInfo("entrypoint.sh")
            script.size, script.mode = len(ENTRYPOINT), 0o755
            tar.addfile(script, io.BytesIO(ENTRYPOINT.encode()))
    return buffer.getvalue()


def skip_without_docker() -> None:
    """Skip where something that the tests need is missing."""
    if os.geteuid() != 0:
        pytest.skip("a Docker daemon needs root")
    if MISSING:
        pytest.skip(f"there is no Docker to test with: apt-get install -y {' '.join(MISSING)}")


@contextlib.contextmanager
def daemon_with(*options: str) -> Iterator[Daemon]:
    """A daemon of the test's own."""
    yield from running_daemon(*options)


def running_daemon(*options: str) -> Iterator[Daemon]:
    """For fixtures: a daemon with the images of this module."""
    skip_without_docker()
    daemon = Daemon(*options)
    try:
        daemon.start()
        daemon.load(GAME)
        daemon.load(EGG, "WORKDIR /home/container", 'CMD ["/bin/sh", "/entrypoint.sh"]', entrypoint=True)
        yield daemon
    finally:
        daemon.remove()
