"""The product as a person has it: ``stellar run`` from an installed wheel, driven from outside."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import httpx
from websockets.sync.client import ClientConnection, connect

from stellar.testing.waiting import wait_until

EMAIL = "ada@example.com"
PASSWORD = "correct horse battery"

COUNTER = (
    "n=0; p=; while :; do n=$((n+1)); echo line $n; "
    'if IFS= read -t 0.02 x; then echo "heard $p$x"; p=; else p=$p$x; fi; done'
)
"""A bash program that counts, and tells what it is told; a line may reach ``read`` in two parts."""

_next_ports = iter(range(21000 + os.getpid() % 300 * 30, 60000, 20))


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def game_ports() -> str:
    """A range of ports for the game servers of one product; no two products of a run share one."""
    first = next(_next_ports)
    return f"{first}-{first + 19}"


class Product:
    """One installation: its command, its data directory and, between ``start`` and ``stop``, its processes."""

    def __init__(self, command: list[str], data: Path, host: str = "127.0.0.1", **environment: str) -> None:
        self.command = command
        self.data = data
        self.host = host
        self.port = free_port()
        self.url = f"http://{host}:{self.port}"
        self.setup_url = ""
        self._log = data.with_name(f"{data.name}.log")
        self._ports = game_ports()
        self._environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """For this and further commands of the installation."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("STELLAR_", "PYTHON"))}
        ours = {"STELLAR_NODES_LOCAL_PORTS": self._ports, "STELLAR_DOCKER_HOST": "off"}
        return {**kept, **ours, **self._environment}

    def start(self) -> None:
        """``stellar run``; returns when the page answers."""
        listen = ["--host", self.host, "--port", str(self.port)]
        arguments = [*self.command, "run", *listen, "--data", str(self.data)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                arguments,
                env=self.environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        wait_until(lambda: self.answers() or self.process.poll() is not None, 60, "the panel's answer")
        assert self.process.poll() is None, self.log()
        wait_until(lambda: "Stellar is ready" in self.log(), 20, "the panel's address")
        if found := re.search(r"\S+/setup\?token=\S+", self.log()):
            self.setup_url = found[0]

    def stop(self) -> float:
        """SIGTERM; answers how many seconds it took to end."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.log()
        self.process = None
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL to the supervisor, as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def clean_up(self) -> None:
        """Leave nothing running: delete the servers, then stop."""
        try:
            if self.process is not None and self.process.poll() is None:
                client = self.admin()
                client.timeout = httpx.Timeout(20)
                for server in client.get("/api/v1/servers?limit=200").json()["items"]:
                    client.delete(f"/api/v1/servers/{server['id']}", params={"force": True})
        finally:
            if self.process is not None and self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
                self.process.wait(20)

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Another command on the same data directory."""
        command = [*self.command, *arguments, "--data", str(self.data)]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False, **options
        )

    def log(self) -> str:
        """Everything it has printed."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def child(self, name: str) -> int:
        """The process id of ``web``, ``worker`` or ``agent``."""
        assert self.process is not None
        for directory in Path("/proc").iterdir():
            if not directory.name.isdecimal() or _parent(directory) != self.process.pid:
                continue
            if name in _arguments(directory):
                return int(directory.name)
        raise LookupError(name)

    def admin(self) -> httpx.Client:
        """A client signed in as the first account, which is made if need be."""
        client = httpx.Client(base_url=self.url, timeout=90, trust_env=False)
        account = {"email": EMAIL, "password": PASSWORD}
        if self.setup_url:
            token = self.setup_url.partition("token=")[2]
            made = client.post("/api/v1/auth/setup", json={"token": token, "name": "Ada", **account})
            self.setup_url = "" if made.status_code == 201 else self.setup_url
        signed_in = client.post("/api/v1/auth/signin", json=account)
        assert signed_in.status_code == 200, signed_in.text
        client.headers["X-CSRF-Token"] = signed_in.json()["csrf_token"]
        return client

    def answers(self) -> bool:
        """Whether the panel is up."""
        try:
            return httpx.get(f"{self.url}/healthz", trust_env=False, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False


class GameServer:
    """A server of a product, through the API."""

    def __init__(self, client: httpx.Client, blueprint: str, **values: Any) -> None:
        self.client = client
        body = {"name": f"My {blueprint}", "blueprint": blueprint, "variables": {}, **values}
        made = client.post("/api/v1/servers", json=body)
        assert made.status_code == 202, made.text
        self.id: str = made.json()["id"]
        self.port: int = made.json()["allocation"]["port"]
        self.path = f"/api/v1/servers/{self.id}"

    def get(self) -> dict[str, Any]:
        """Its JSON."""
        answer = self.client.get(self.path)
        assert answer.status_code == 200, answer.text
        return cast("dict[str, Any]", answer.json())

    def state(self) -> str:
        """Its state."""
        return str(self.get()["state"])

    def wait(self, state: str, timeout: float = 30.0) -> None:
        """Wait for a state."""
        wait_until(lambda: self.state() == state, timeout, f"{self.id} being {state}, not {self.state()},")

    def power(self, action: str) -> httpx.Response:
        """``start``, ``stop``, ``restart`` or ``kill``."""
        return self.client.post(f"{self.path}/{action}")

    def command(self, text: str) -> None:
        """Type a line."""
        answer = self.client.post(f"{self.path}/command", json={"command": text})
        assert answer.status_code == 202, answer.text

    def output(self, after: int = 0) -> str:
        """Everything that its console has said since an offset."""
        text = ""
        while True:
            answer = self.client.get(f"{self.path}/console", params={"after": after, "limit": 262144})
            chunk = answer.json()
            if chunk.get("code") == "not_on_node":
                return text
            assert answer.status_code == 200, answer.text
            text += chunk["data"]
            if chunk["next"] >= chunk["end"]:
                return text
            after = chunk["next"]

    def says(self, text: str, timeout: float = 20.0) -> None:
        """Wait until the console shows a text."""
        wait_until(lambda: text in self.output(), timeout, f"{text!r} on the console")

    def socket(self) -> Console:
        """A viewer of its console."""
        token = self.client.get(f"{self.path}/console-token").json()
        return Console(connect(token["url"], proxy=None, max_size=None).__enter__())


class Console:
    """A console socket that keeps track of the output's offset."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.text = ""
        self.start: int | None = None
        self.next = 0
        self.gaps: list[tuple[int, int]] = []

    def send(self, kind: str, **values: Any) -> None:
        """Send a frame."""
        self.socket.send(json.dumps({"type": kind, **values}))

    def read(self, timeout: float = 10.0) -> dict[str, Any]:
        """The next frame; output is checked for its offset and collected."""
        frame = cast("dict[str, Any]", json.loads(self.socket.recv(timeout)))
        if frame["type"] == "output":
            if self.start is None:
                self.start = self.next = frame["seq"]
            assert frame["seq"] == self.next, f"expected output from {self.next}, got {frame['seq']}"
            self.next += len(frame["data"].encode())
            self.text += frame["data"]
        if frame["type"] == "gap":
            self.gaps.append((frame["from"], frame["to"]))
            self.next = frame["to"]
        return frame

    def until(self, condition: Callable[[], object], timeout: float = 20.0) -> None:
        """Read until a condition holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            self.read(max(0.01, deadline - time.monotonic()))

    def close(self) -> None:
        """Leave."""
        self.socket.close()


def _arguments(directory: Path) -> list[str]:
    try:
        return (directory / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return []


def _parent(directory: Path) -> int:
    try:
        return int((directory / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
