"""How fast the API's reads are, beside bare handlers that give the same answers, in the same run.

``python tests/bench/api.py`` measures one node and 50 users with 200 and with 10,000 servers, on SQLite and on
PostgreSQL: requests per second, latency in ms, failed requests, memory in MB of 10^6 bytes. It asserts nothing but
that both give the same answers. Needs ``wrk``, and PostgreSQL's server programs unless ``--databases sqlite``.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import psutil
from bare import COOKIE, PAGE, bare_app
from common import new_product, parser, report, served
from memory import memory
from postgres_server import PostgresServer, find_binaries
from product import Product
from seeds import appear, begin_session, remove, seed, server_id

from stellar.bus import sync
from stellar.config import load_config

ADMIN, MEMBER = "admin", "member"
READS = {
    "session": (ADMIN, "/api/v1/auth/session"),
    "users/me": (MEMBER, "/api/v1/users/me"),
    "a server": (MEMBER, f"/api/v1/servers/{server_id(7)}"),
    "a page of servers": (ADMIN, f"/api/v1/servers?limit={PAGE}"),
    "a page of a member's servers": (MEMBER, f"/api/v1/servers?limit={PAGE}"),
    "a page of running servers": (ADMIN, f"/api/v1/servers?limit={PAGE}&state=running"),
    "admin list": (ADMIN, f"/api/v1/admin/users?size={PAGE}"),
}
VARYING = {"expires_at", "next"}
"""What two equal answers may differ in: it depends on the moment, or is signed."""

_LATENCY = re.compile(r"^ +(50|99)% +([\d.]+)(us|ms|s) *$", re.MULTILINE)
_RATE = re.compile(r"Requests/sec: +([\d.]+)")
_DONE = re.compile(r"^ +(\d+) requests in", re.MULTILINE)
_FAILED = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_BROKEN = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class Side(msgspec.Struct):
    """One of the two that are compared."""

    url: str
    pid: int


class Load(msgspec.Struct):
    """What ``wrk`` saw, times in ms; ``cpu`` is what a request took of the process, which other load spoils less."""

    rate: float
    p50: float
    p99: float
    errors: int
    cpu: float


def main() -> None:
    """Measure and print."""
    given = options()
    for kind in given.databases.split(","):
        with database_of(kind) as url, product_on(given, url) as product:
            measure(given, kind, product)


def options() -> argparse.Namespace:
    """What the command line says."""
    made = parser(__doc__)
    made.add_argument("--seconds", type=int, default=4, help="for each measurement")
    made.add_argument("--connections", default="1,32,128")
    made.add_argument("--servers", default="200,10000")
    made.add_argument("--databases", default="sqlite,postgres")
    made.add_argument("--only", default="", help="a part of the names of the reads to measure")
    made.add_argument("--quick", action="store_true", help="one second, 32 connections, 200 servers, SQLite")
    given = made.parse_args()
    if given.quick:
        given.seconds, given.connections, given.servers, given.databases = 1, "32", "200", "sqlite"
    return given


@contextlib.contextmanager
def database_of(kind: str) -> Iterator[str]:
    """The URL of a new database; empty for the panel's own SQLite."""
    if kind == "sqlite":
        yield ""
        return
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit("PostgreSQL is missing: apt-get install -y postgresql")
    server = PostgresServer(binaries)
    server.start()
    try:
        yield server.new_database()
    finally:
        server.remove()


@contextlib.contextmanager
def product_on(given: argparse.Namespace, url: str) -> Iterator[Product]:
    """A running product on this database, without servers again before it ends."""
    environment = {"STELLAR_DATABASE_URL": url} if url else {}
    with new_product(given, **environment) as product:
        product.start()
        try:
            yield product
        finally:
            remove(_database_url(product))


def measure(given: argparse.Namespace, kind: str, product: Product) -> None:
    """Everything on one database."""
    config = load_config(product.data)
    url = _database_url(product)
    sync.init(config)
    admin = product.admin()
    appear()
    for servers in map(int, given.servers.split(",")):
        seed(url, servers)
        tokens = {ADMIN: str(admin.cookies[COOKIE]), MEMBER: begin_session(url)}
        with served(bare_app, url, config.redis_url) as (bare_url, bare_pid):
            bare, full = Side(bare_url, bare_pid), Side(product.url, product.child("web"))
            for name in [name for name in READS if given.only in name]:
                same_answer(bare, full, name, tokens)
                for connections in map(int, given.connections.split(",")):
                    where = f"{name}: {kind}, {servers} servers, {connections} connections"
                    show(where, *(load(side, name, tokens, connections, given.seconds) for side in (bare, full)))
            pss, bare_pss = memory(full.pid)[0], memory(bare.pid)[0]
            report(f"memory of the web process, MB: {kind}, {servers} servers", pss=pss, bare=bare_pss)
    sync.close()


def show(what: str, bare: Load, full: Load) -> None:
    """Print one measurement."""
    seen = msgspec.structs.asdict(full) | {
        f"bare_{name}": value for name, value in msgspec.structs.asdict(bare).items()
    }
    ratios = {"ratio": round(full.rate / bare.rate, 2), "cpu_ratio": round(bare.cpu / full.cpu, 2)}
    report(what, **seen, **ratios, aim=0.6)


def same_answer(bare: Side, full: Side, name: str, tokens: dict[str, str]) -> None:
    """Give up unless both do the same work."""
    answers = [_get(side, name, tokens) for side in (bare, full)]
    if answers[0] != answers[1]:
        raise SystemExit(f"the bare handler answers otherwise:\n{answers[0]}\n{answers[1]}")


def load(side: Side, name: str, tokens: dict[str, str], connections: int, seconds: int) -> Load:
    """What ``wrk`` measures, one request per connection at a time."""
    who, path = READS[name]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    command += ["-H", f"Cookie: {COOKIE}={tokens[who]}", side.url + path]
    before = cpu_seconds(side.pid)
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used = cpu_seconds(side.pid) - before
    rate, done = _RATE.search(said), _DONE.search(said)
    times = {share: float(number) * _MILLISECONDS[unit] for share, number, unit in _LATENCY.findall(said)}
    if rate is None or done is None or len(times) != 2:
        raise SystemExit(f"wrk said:\n{said}")
    failed = [found for found in (_FAILED.search(said), _BROKEN.search(said)) if found]
    return Load(
        rate=round(float(rate[1]), 1),
        p50=round(times["50"], 2),
        p99=round(times["99"], 2),
        errors=sum(int(number) for found in failed for number in found.groups()),
        cpu=round(1000 * used / max(1, int(done[1])), 3),
    )


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processors."""
    used = psutil.Process(pid).cpu_times()
    return float(used.user + used.system)


def _get(side: Side, name: str, tokens: dict[str, str]) -> Any:
    who, path = READS[name]
    answer = httpx.get(side.url + path, headers={"Cookie": f"{COOKIE}={tokens[who]}"}, trust_env=False, timeout=30)
    answer.raise_for_status()
    return _comparable(answer.json())


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: None if name in VARYING else _comparable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_comparable(one) for one in value]
    if isinstance(value, str):
        return value.replace(".000000+00:00", "Z").replace("+00:00", "Z")
    return value


def _database_url(product: Product) -> str:
    return product.environment.get("STELLAR_DATABASE_URL") or load_config(product.data).database_url


if __name__ == "__main__":
    main()
