"""What the scripts here share: a panel to measure, and how figures are printed."""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import shlex
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import uvicorn

sys.path.insert(0, str(Path(__file__).parents[1]))

from product import Product, free_port

from stellar.config import WebSettings
from stellar.http.serve import server_config
from stellar.testing.waiting import wait_until


def parser(description: str | None) -> argparse.ArgumentParser:
    """A command line with what every script takes."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--command", default=f"{sys.executable} -P -m stellar", help="how stellar is started")
    made.add_argument("--ports", default="28800-28899", help="for game servers")
    return made


@contextlib.contextmanager
def new_product(options: argparse.Namespace, **environment: str) -> Iterator[Product]:
    """A product with a data directory of its own, not yet started; nothing is left of it afterwards."""
    with tempfile.TemporaryDirectory(prefix="stellar-bench-") as directory:
        data = Path(directory) / "data"
        environment = {"STELLAR_NODES_LOCAL_PORTS": options.ports, **environment}
        product = Product(shlex.split(options.command), data, **environment)
        try:
            yield product
        finally:
            product.clean_up()


@contextlib.contextmanager
def served(make_app: Callable[..., Any], *arguments: Any) -> Iterator[tuple[str, int]]:
    """The ASGI application that ``make_app(*arguments)`` makes, in a process of its own: its address and process id."""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(port, make_app, *arguments))
    process.start()
    try:
        wait_until(lambda: _listens(port), 20, "the bare server's answer")
        assert process.pid is not None
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.join(10)


def _serve(port: int, make_app: Callable[..., Any], *arguments: Any) -> None:
    """As the panel is served."""
    settings = server_config(make_app(*arguments), WebSettings())
    settings.port = port
    uvicorn.Server(settings).run()


def _listens(port: int) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code == 404
    return False


def report(what: str, **figures: Any) -> None:
    """Print a line of figures."""
    print(json.dumps({"what": what, **figures}), flush=True)


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """The middle, the lowest and the highest of several measurements."""
    figures = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, digits) for name, value in figures.items()} | {"runs": len(values)}
