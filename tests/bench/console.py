"""How quick the console is, through the public API of a running panel; prints figures and asserts none.

``python tests/bench/console.py`` starts a panel of its own with ``stellar run``; ``--url``, ``--email`` and
``--password`` use another.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

sys.path.insert(0, str(Path(__file__).parents[1]))

from product import GameServer, Product

LINES = 100_000
ROUNDS = 5
OTHER_LINES = 2
"""The echo of what is typed, and the line that ends a burst."""
LINE = "line %06.0f of the burst that a game server prints all at once"
BURST = f"while read -r n; do seq -f '{LINE}' 1 \"$n\"; echo the end; done"
PAUSE = 0.02


def main() -> None:
    """Measure and print."""
    options = arguments()
    with panel(options) as client, servers(client) as (loud, quiet), open_console(quiet) as keys:
        report("key press to echo, idle", echoes(keys, options.samples))
        print(json.dumps({"what": f"{LINES} lines at once", **burst(loud, keys)}))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a running panel; without it one is started")
    parser.add_argument("--email", default="")
    parser.add_argument("--password", default="")
    parser.add_argument("--command", default=f"{sys.executable} -m stellar", help="how stellar is started")
    parser.add_argument("--samples", type=int, default=500)
    return parser.parse_args()


@contextlib.contextmanager
def panel(options: argparse.Namespace) -> Iterator[httpx.Client]:
    """A client that is signed in."""
    if options.url:
        with httpx.Client(base_url=options.url, timeout=60) as client:
            account = {"email": options.email, "password": options.password}
            answer = client.post("/api/v1/auth/signin", json=account).raise_for_status()
            client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
            yield client
        return
    with tempfile.TemporaryDirectory(prefix="stellar-bench-") as directory:
        product = Product(shlex.split(options.command), Path(directory) / "data")
        try:
            product.start()
            yield product.admin()
        finally:
            if product.process is not None:
                product.stop()


@contextlib.contextmanager
def servers(client: httpx.Client) -> Iterator[list[GameServer]]:
    """One that prints as many lines as it is told, and one that echoes keys."""
    made: list[GameServer] = []
    try:
        for command in (f"exec bash -c {shlex.quote(BURST)}", "exec cat"):
            server = GameServer(client, "generic", variables={"START_COMMAND": command})
            made.append(server)
            server.wait("offline")
            server.power("start").raise_for_status()
            server.wait("running")
        yield made
    finally:
        for server in made:
            client.delete(server.path)


@contextlib.contextmanager
def open_console(server: GameServer) -> Iterator[ClientConnection]:
    """A socket of its console, from the end of its output on."""
    with connect(address(server), compression=None, max_size=None, proxy=None) as socket:
        end = server.client.get(f"{server.path}/console").json()["end"]
        socket.send(json.dumps({"type": "resume", "after": end}))
        time.sleep(0.5)
        yield socket


def address(server: GameServer) -> str:
    """Where its console's socket is."""
    url: str = server.client.get(f"{server.path}/console-token").raise_for_status().json()["url"]
    return url


def echoes(socket: ClientConnection, samples: int = 0, until: Future[Any] | None = None) -> list[float]:
    """Milliseconds from each key to its echo, for so many keys or until something is done."""
    taken: list[float] = []
    while len(taken) < samples if until is None else not until.done():
        key = chr(ord("a") + len(taken) % 26)
        began = time.perf_counter()
        socket.send(json.dumps({"type": "input", "data": key}))
        while key not in output(socket):
            pass
        taken.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE)
    return taken


def output(socket: ClientConnection) -> str:
    """The next frame's output, empty for other frames."""
    frame = json.loads(socket.recv(30))
    return str(frame["data"]) if frame["type"] == "output" else ""


def burst(loud: GameServer, keys: ClientConnection) -> dict[str, Any]:
    """Let one server print, and measure the other meanwhile."""
    url, after = address(loud), loud.client.get(f"{loud.path}/console").json()["end"]
    with ProcessPoolExecutor(1) as pool:
        watching = pool.submit(watch_burst, url, after)
        meanwhile = echoes(keys, until=watching)
        result = watching.result()
    report("key press to echo of another server meanwhile", meanwhile)
    whole = loud.output(after)
    return {**result, "lines_in_log": whole.count("all at once\r\n")}


def watch_burst(url: str, after: int) -> dict[str, Any]:
    """In a process of its own: start the burst and receive it."""
    with connect(url, compression=None, max_size=None, proxy=None) as socket:
        socket.send(json.dumps({"type": "resume", "after": after}))
        rounds = [receive_burst(socket) for _ in range(ROUNDS)]
    seconds, lines, gaps = zip(*rounds, strict=True)
    return {"rounds": ROUNDS, "slowest_s": round(max(seconds), 2), "lines_at_socket": sum(lines), "gaps": sum(gaps)}


def receive_burst(socket: ClientConnection) -> tuple[float, int, int]:
    """Seconds until all of a burst has come, its lines, and gaps."""
    began = time.perf_counter()
    socket.send(json.dumps({"type": "input", "data": f"{LINES}\n"}))
    lines, gaps, tail = 0, 0, ""
    while "the end\r\n" not in tail:
        frame = json.loads(socket.recv(120))
        gaps += frame["type"] == "gap"
        if frame["type"] == "output":
            lines += frame["data"].count("\n")
            tail = (tail + frame["data"])[-100:]
    return time.perf_counter() - began, lines - OTHER_LINES, gaps


def report(what: str, milliseconds: list[float]) -> None:
    """Print the middle and the slowest percent."""
    ordered = sorted(milliseconds)
    if not ordered:
        print(json.dumps({"what": what, "samples": 0}))
        return
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    figures = {"p50_ms": round(statistics.median(ordered), 2), "p99_ms": round(p99, 2), "max_ms": round(ordered[-1], 2)}
    print(json.dumps({"what": what, "samples": len(ordered), **figures}), flush=True)


if __name__ == "__main__":
    main()
