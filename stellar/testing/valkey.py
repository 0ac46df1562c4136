"""A real Valkey for tests."""

from __future__ import annotations

import ctypes  # noqa: F401 - what runs after the fork needs it, and must not import it there
import os
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import redis

from stellar.supervisor.lifeline import die_with_parent

from ..supervisor.valkey import find_server
from .waiting import wait_until


class ValkeyServer:
    """A server of its own on a unix socket; its data outlives a restart."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="stellar-valkey-"))
        self.socket = self.directory / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        arguments = ["--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.directory), "--save", ""]
        command = [str(find_server()), *arguments, "--appendonly", "yes", "--loglevel", "warning"]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - ctypes is imported already
        )
        wait_until(self._answers, what="Valkey's answer")

    def stop(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """Kill it and delete its data."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def client(self) -> redis.Redis:
        """A plain client, to look at what is really there."""
        return redis.Redis(unix_socket_path=str(self.socket))

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False
