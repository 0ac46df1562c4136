"""Stands in for ``stellar``: ``supervised.py COMMAND --data DIR`` notes what happens to it in DIR/events.

A file DIR/COMMAND.MODE changes what it does: ``stubborn`` ignores SIGTERM, ``broken`` exits at once.
``supervised.py run --data DIR`` supervises the others.
"""

from __future__ import annotations

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NoReturn

command, data = sys.argv[1], Path(sys.argv[3])


def note(text: str) -> None:
    with (data / "events").open("a") as file:
        file.write(f"{command} {text} {os.getpid()}\n")


def on_term(number: int, frame: object) -> NoReturn:
    note("stopped")
    sys.exit(0)


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        return


def run() -> int:
    from stellar.config import load_config, prepare_data
    from stellar.supervisor import valkey
    from stellar.supervisor.run import run as supervise

    if os.environ.get("STAND_IN_VALKEY") == "path":
        valkey.PACKAGE = "a_package_that_is_not_there"
    config = load_config(data)
    prepare_data(config)
    return supervise(config, (sys.executable, __file__))


def serve() -> None:
    if (data / f"{command}.broken").exists():
        print("cannot start", flush=True)
        sys.exit(3)
    stubborn = (data / f"{command}.stubborn").exists()
    signal.signal(signal.SIGTERM, signal.SIG_IGN if stubborn else on_term)
    note("started")
    print(f"hello from {command}", flush=True)
    if command == "web":
        address = (os.environ["STELLAR_WEB_HOST"], int(os.environ["STELLAR_WEB_PORT"]))
        HTTPServer(address, Healthy).serve_forever()
    while True:
        signal.pause()


if __name__ == "__main__":
    if command == "run":
        from stellar.errors import SetupError

        try:
            sys.exit(run())
        except SetupError as error:
            sys.exit(f"stellar: {error.message}")
    if command == "prepare":
        note("done")
        print('{"setup_url": "http://127.0.0.1/setup?token=once"}')
        sys.exit(0 if not (data / "prepare.broken").exists() else 3)
    serve()
