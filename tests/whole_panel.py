"""A whole installation on either database: the panel in this process, a real worker and real nodes beside it."""

from __future__ import annotations

import ctypes  # noqa: F401 - what runs after the fork needs it, and must not import it there
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from full_panel import full_panel
from link_parts import new_node
from postgres_server import PostgresServer
from product import GameServer
from web_parts import WebServer

from stellar.plugins.blueprints.service import sync_builtin
from stellar.plugins.nodes.agent.identity import Identity, write_identity
from stellar.plugins.servers.models import Server
from stellar.supervisor.lifeline import die_with_parent
from stellar.testing.valkey import ValkeyServer
from stellar.testing.waiting import wait_until

PORTS = 12
"""Game ports of a node: few, so that a test can use them up."""
USER_LIMIT = 6
BLUEPRINTS = Path(__file__).with_name("blueprints")
PLUGIN = Path(__file__).with_name("vetoing_plugin")
_first_ports = itertools.cycle(range(28400, 28800, 16))


class Process:
    """``stellar COMMAND`` with its own data directory; ends with the test run, whatever happens."""

    def __init__(self, command: str, data: Path, environment: Mapping[str, str] | None = None) -> None:
        self._arguments = [sys.executable, "-m", "stellar", command, "--data", str(data)]
        self._environment = dict(environment or {})
        self._log = data / f"{command}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns at once."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STELLAR_")}
        kept["STELLAR_DOCKER_HOST"] = "off"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._arguments,
                env={**kept, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - ctypes is imported already
            )

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """SIGTERM, if it runs."""
        if self._process is not None:
            self._process.terminate()
            assert self._process.wait(20) == 0, self.log()
            self._process = None

    def pause(self) -> None:
        """Let it hang."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused one go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        """Everything it has printed."""
        return self._log.read_text("utf-8", "replace")


class AgentNode:
    """A node with its agent's process."""

    def __init__(self, site: Site, name: str, data: Path, ports: int) -> None:
        first = next(_first_ports)
        made, key = new_node(site.admin, name, address="127.0.0.1", port_start=first, port_end=first + ports - 1)
        self._site = site
        self.id: str = made["id"]
        self.name = name
        self.ports = range(first, first + ports)
        self.directory = data / "agent"
        write_identity(self.directory, Identity(site.web.url, self.id, key.partition(".")[2]))
        self.process = Process("agent", data)

    def start(self) -> None:
        """Start the agent and wait for its link."""
        self.process.start()
        wait_until(self.online, 20, f"the link of {self.name}")

    def kill(self) -> None:
        """Kill the agent and wait until the panel knows; its game servers go on."""
        self.process.kill()
        wait_until(lambda: not self.online(), what=f"the end of the link of {self.name}")

    def online(self) -> bool:
        """Whether the panel thinks so."""
        return bool(self._site.admin.get(f"/api/v1/nodes/{self.id}").json()["online"])

    def files(self, server_id: str) -> Path:
        """Where the node keeps a server."""
        return self.directory / "servers" / server_id

    def processes(self, server_id: str) -> list[psutil.Process]:
        """What runs of a server: its keeper and below."""
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if any(server_id in argument for argument in process.info["cmdline"] or [])
        ]


class Site:
    """The installation; ``admin`` is signed in. Each test takes accounts and servers of its own."""

    def __init__(self, web: WebServer, valkey: ValkeyServer, directory: Path, worker: Process, admin: httpx.Client):
        self.web = web
        self.valkey = valkey
        self.worker = worker
        self.admin = admin
        self._directory = directory
        self._nodes: list[AgentNode] = []
        self.node = self.add_node("attic")

    def add_node(self, name: str, ports: int = PORTS) -> AgentNode:
        """A further node, its agent started."""
        data = self._directory / name
        data.mkdir()
        node = AgentNode(self, name, data, ports)
        self._nodes.append(node)
        node.start()
        return node

    def remove_node(self, node: AgentNode) -> None:
        """Take a node without servers away again."""
        node.process.stop()
        self._nodes.remove(node)
        assert self.admin.delete(f"/api/v1/nodes/{node.id}").status_code == 204

    @contextmanager
    def user(self, name: str = "") -> Iterator[httpx.Client]:
        """A client signed in as an account that nobody else uses."""
        with self.web.signed_in(f"{name or 'user'}-{uuid.uuid4().hex[:12]}@example.com", timeout=60) as client:
            yield client

    def create(self, blueprint: str = "quick", client: httpx.Client | None = None, **values: Any) -> GameServer:
        """A server on the main node."""
        return GameServer(client or self.admin, blueprint, **{"node": self.node.id, **values})

    def offline(self, blueprint: str = "quick", **values: Any) -> GameServer:
        """A server that is installed."""
        server = self.create(blueprint, **values)
        server.wait("offline")
        return server

    def running(self, command: str = "cat", **values: Any) -> GameServer:
        """A server that runs a command; it has to say ``ready``."""
        server = self.offline(variables={"COMMAND": f"echo ready; {command}"}, **values)
        assert server.power("start").status_code == 202
        server.wait("running")
        return server

    def states(self) -> StateWatch:
        """What is said of servers' states from now on."""
        return StateWatch(self.valkey)

    def clean_up(self) -> None:
        """Delete every server, wait until the worker has nothing left to do, and forget how much was asked for."""
        for server in self.admin.get("/api/v1/servers", params={"limit": 200}).json()["items"]:
            deleted = self.admin.delete(f"/api/v1/servers/{server['id']}")
            assert deleted.status_code == 204, f"{server['name']}: {deleted.text}"
        wait_until(lambda: not self.unfinished_jobs(), what="the worker having done its jobs")
        with self.valkey.client() as client:
            for key in client.scan_iter("ratelimit:*", count=1000):
                client.delete(key)

    def waiting_jobs(self) -> int:
        """Jobs that have not been begun."""
        with self.valkey.client() as client:
            return int(client.llen("queue:deployments"))  # type: ignore[arg-type]

    def running_jobs(self) -> int:
        """Jobs that a worker has begun."""
        with self.valkey.client() as client:
            return int(client.zcard("rq:wip:deployments"))  # type: ignore[arg-type]

    def unfinished_jobs(self) -> int:
        """Jobs that wait or run, at one moment: none is missed that goes from one list to the next."""
        with self.valkey.client() as client, client.pipeline() as pipeline:
            pipeline.llen("queue:deployments")
            pipeline.llen("queue:deployments:intermediate")
            pipeline.zcard("rq:wip:deployments")
            return sum(pipeline.execute())

    def close(self) -> None:
        """End everything, games too."""
        try:
            self.clean_up()
        finally:
            for node in self._nodes:
                node.process.stop()
            self.worker.stop()
            self.end_games()

    def end_games(self) -> None:
        """Kill what a failed test has left running on any node."""
        for process in psutil.process_iter(["cmdline"]):
            arguments = process.info["cmdline"] or []
            if any("keeper" in argument for argument in arguments) and str(self._directory) in " ".join(arguments):
                process.kill()


class StateWatch:
    """Reads ``stellar:servers:*:status`` from its making on."""

    def __init__(self, valkey: ValkeyServer) -> None:
        self._client = valkey.client()
        self._pubsub = self._client.pubsub()
        self._pubsub.psubscribe("stellar:servers:*:status")
        assert self._pubsub.get_message(timeout=5)
        self._seen: list[tuple[str, dict[str, Any]]] = []

    def of(self, server: GameServer) -> list[str]:
        """The states of a server so far, each change once."""
        return [data["state"] for data in self.changes(server)]

    def changes(self, server: GameServer) -> list[dict[str, Any]]:
        """The messages about a server so far, without repeats of the same state."""
        while message := self._pubsub.get_message(timeout=0):
            self._seen.append((message["channel"].decode(), json.loads(message["data"])))
        found = [data for channel, data in self._seen if channel == f"stellar:servers:{server.id}:status"]
        return [data for data in found if data["state"] != data["previous"]]

    def expect(self, server: GameServer, *states: str, timeout: float = 20.0) -> None:
        """Wait until a server has gone through exactly these states."""
        wait_until(lambda: len(self.of(server)) >= len(states), timeout, f"{states}, not {self.of(server)},")
        assert self.of(server) == list(states)

    def close(self) -> None:
        """Listen no more."""
        self._pubsub.close()
        self._client.close()


def rows(server_id: str) -> int:
    """How many rows the panel has of a server."""
    return Server.select().where(Server.id == server_id).count()


@contextmanager
def whole_panel(directory: Path, database_url: str) -> Iterator[Site]:
    """An installation that answers."""
    valkey = ValkeyServer()
    valkey.start()
    data = directory / "panel"
    (data / "plugins").mkdir(parents=True)
    (data / "plugins" / PLUGIN.name).symlink_to(PLUGIN)
    worker = Process("worker", data, {"STELLAR_REDIS_URL": valkey.url, "STELLAR_DATABASE_URL": database_url})
    try:
        with full_panel(data, valkey.url, database_url, servers={"user_limit": USER_LIMIT}) as web:
            sync_builtin(BLUEPRINTS)
            worker.start()
            with web.signed_in("admin@example.com", "admin", timeout=60) as admin:
                site = Site(web, valkey, directory, worker, admin)
                try:
                    yield site
                finally:
                    site.close()
    finally:
        valkey.remove()


def database_url_on(database: str, request: pytest.FixtureRequest, directory: Path) -> str:
    """The URL of an empty database: ``sqlite``, or on the run's ``postgres``; for fixtures that outlive one test."""
    if database == "sqlite":
        return f"sqlite:///{directory / 'test.db'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


def installation_on(database: str, request: pytest.FixtureRequest, directory: Path) -> AbstractContextManager[Site]:
    """An installation on ``sqlite`` or ``postgres``."""
    return whole_panel(directory, database_url_on(database, request, directory))


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Call ``work`` in that many threads at once; the answers in order."""
    gate = threading.Barrier(count)

    def one(number: int) -> Any:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))
