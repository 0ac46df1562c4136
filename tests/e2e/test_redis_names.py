"""The channels, keys and times to live of a live panel are exactly those of the public contract."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator

import pytest
import redis
from product import COUNTER, GameServer, Product

from stellar.config import load_config
from stellar.testing.waiting import wait_until

pytestmark = pytest.mark.e2e

CHANNELS = {
    "stellar:nodes:{node_id}:commands",
    "stellar:nodes:{node_id}:events",
    "stellar:nodes:{node_id}:heartbeat",
    "stellar:servers:{server_id}:status",
    "stellar:servers:{server_id}:metrics",
    "stellar:servers:{server_id}:logs",
    "stellar:events:global",
}
KEYS: dict[str, tuple[str, str, float]] = {
    "cache:server:{id}:status": (r"cache:server:[0-9a-f-]{36}:status", "string", 30),
    "cache:node:{id}:metrics": (r"cache:node:[0-9a-f-]{36}:metrics", "string", 10),
    "session:{token}": (r"session:[0-9a-f]{64}", "string", 30 * 86_400),
    "ratelimit:{ip}:{endpoint}": (r"ratelimit:[^:]+:.+", "string", 3600),
    "queue:deployments": (r"queue:deployments", "list", -1),
}
"""Pattern, type, and the seconds that a key lasts at most (-1: for as long as it holds something)."""

OURS = re.compile(r"rq:.+|queue:(deployments|backups):intermediate|sessions:[0-9a-f-]{36}|events:log|jobs:cancel:.+")
"""What is nobody's business: the library behind the queues, the index of a user's sessions, the log of events."""


class Observer:
    """Listens to every channel, and looks again and again at every key."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.channels: set[str] = set()
        self.keys: dict[str, tuple[str, int]] = {}
        self._stop = threading.Event()
        self._pubsub = client.pubsub()
        self._pubsub.psubscribe("*")
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.is_set():
            while message := self._pubsub.get_message(timeout=0.05):
                if message["type"] == "pmessage":
                    self.channels.add(message["channel"].decode())
            for key in self.client.scan_iter(count=1000):
                kind, ttl = self.client.type(key).decode(), int(self.client.ttl(key))
                name = key.decode()
                if kind != "none":
                    self.keys[name] = (kind, max(ttl, self.keys.get(name, ("", -1))[1]))

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self._pubsub.close()
        self.client.close()


@pytest.fixture
def observer(product: Product) -> Iterator[Observer]:
    watching = Observer(redis.Redis.from_url(load_config(product.data).redis_url))
    yield watching
    watching.close()


def test_a_live_panel_uses_exactly_the_public_names(product: Product, observer: Observer) -> None:
    admin = product.admin()
    node_id = admin.get("/api/v1/nodes").json()["items"][0]["id"]
    worker = product.child("worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        # Until its wait for a job has run out, the next job is given to it, though it doesn't read.
        wait_until(lambda: observer.client.info("clients")["blocked_clients"] == 0, what="the worker's wait")
        server = GameServer(admin, "generic", variables={"START_COMMAND": f"exec bash -c '{COUNTER}'"})
        wait_until(lambda: "queue:deployments" in observer.keys, what="the queue")
    finally:
        os.kill(worker, signal.SIGCONT)
    server.wait("offline")
    server.power("start")
    server.wait("running")
    viewer = server.socket()
    viewer.until(lambda: "line 3" in viewer.text)
    wait_until(lambda: len(observer.channels) >= len(CHANNELS), 30, f"every channel, not {observer.channels},")
    wait_until(lambda: f"cache:node:{node_id}:metrics" in observer.keys, what="the node's figures")
    assert server.power("stop").status_code == 202
    server.wait("offline")
    viewer.close()
    names = {channel.replace(node_id, "{node_id}").replace(server.id, "{server_id}") for channel in observer.channels}
    assert names == CHANNELS
    public = {key: found for key, found in observer.keys.items() if not OURS.fullmatch(key)}
    for pattern, kind, seconds in KEYS.values():
        matching = {key: found for key, found in public.items() if re.fullmatch(pattern, key)}
        assert matching, pattern
        for key, (found_kind, ttl) in matching.items():
            assert found_kind == kind, key
            assert (ttl == -1) if seconds == -1 else (0 < ttl <= seconds), (key, ttl)
            del public[key]
    assert public == {}
    assert 20 <= observer.keys[f"cache:server:{server.id}:status"][1] <= 30
    assert 8 <= observer.keys[f"cache:node:{node_id}:metrics"][1] <= 10
    queues = {queue for key in observer.client.keys("rq:worker:*") for queue in _queues(observer.client, key)}
    assert {f"queue:{name}" for name in queues} == {"queue:deployments", "queue:backups"}


def _queues(client: redis.Redis, key: bytes) -> list[str]:
    found = client.hget(key, "queues")
    assert isinstance(found, bytes)
    return found.decode().split(",")
