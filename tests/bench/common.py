"""What the scripts here share: a panel to measure, and how figures are printed."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from product import Product


def parser(description: str | None) -> argparse.ArgumentParser:
    """A command line with what every script takes."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--command", default=f"{sys.executable} -P -m stellar", help="how stellar is started")
    made.add_argument("--ports", default="28800-28899", help="for game servers")
    return made


@contextlib.contextmanager
def new_product(options: argparse.Namespace) -> Iterator[Product]:
    """A product with a data directory of its own, not yet started; nothing is left of it afterwards."""
    with tempfile.TemporaryDirectory(prefix="stellar-bench-") as directory:
        data = Path(directory) / "data"
        product = Product(shlex.split(options.command), data, STELLAR_NODES_LOCAL_PORTS=options.ports)
        try:
            yield product
        finally:
            product.clean_up()


def report(what: str, **figures: Any) -> None:
    """Print a line of figures."""
    print(json.dumps({"what": what, **figures}), flush=True)


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """The middle, the lowest and the highest of several measurements."""
    figures = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, digits) for name, value in figures.items()} | {"runs": len(values)}
