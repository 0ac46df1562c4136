"""How soon ``stellar run`` answers on a data directory that it has made before, and ``stellar --help`` at all.

``python tests/bench/start.py`` prints seconds and asserts none.
"""

from __future__ import annotations

import shlex
import socket
import subprocess
import time

from common import new_product, parser, report, spread
from product import Product

PROBE_EVERY = 0.005


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=7)
    given = options.parse_args()
    with new_product(given) as product:
        product.start()
        product.stop()
        answers, stops = zip(*(first_answer(product) for _ in range(given.runs)), strict=True)
    report("stellar run to the first 200, seconds", **spread(answers), aim=1.5)
    report("SIGTERM to the end of stellar run, seconds", **spread(stops), aim=5)
    helps = [seconds_of([*shlex.split(given.command), "--help"]) for _ in range(given.runs * 2)]
    report("stellar --help, seconds", **spread(helps), aim=0.2)


def first_answer(product: Product) -> tuple[float, float]:
    """Start it, ask for a page until it comes, stop it: seconds that the first and the last took."""
    arguments = [*product.command, "run", "--port", str(product.port), "--data", str(product.data)]
    began = time.perf_counter()
    with subprocess.Popen(arguments, env=product.environment, stdout=subprocess.DEVNULL) as process:
        while not answers(product.port):
            time.sleep(PROBE_EVERY)
        answered = time.perf_counter()
        process.terminate()
        process.wait(20)
    return answered - began, time.perf_counter() - answered


def answers(port: int) -> bool:
    """Whether the sign-in page comes with 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(b"GET /auth/signin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


def seconds_of(command: list[str]) -> float:
    """How long a command runs."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
