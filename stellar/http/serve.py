"""The web server process: ``stellar web``."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import uvicorn

from ..bus import bus
from ..errors import SetupError
from ..panel import boot
from .app import create_app
from .protocol import BoundedHttp

if TYPE_CHECKING:
    from ..config import Config, WebSettings
    from .middleware import Asgi

GRACE_SECONDS = 1
"""How long open requests may take after the signal to stop."""

MAX_WEBSOCKET_MESSAGE = 1024 * 1024 + 1024
"""Bytes: the largest frame of a node's link (nodes/protocol.py), and some to spare."""

BACKLOG = 512


def serve(config: Config) -> None:
    """Serve the panel until SIGTERM or SIGINT; ``SetupError`` when the address can't be used."""
    listener = listen(config.web)
    config.remember_address()
    panel = boot("web", config=config)
    panel.open()
    panel.migrate()
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    server = Server(server_config(create_app(panel), config.web))
    server.run(sockets=[listener])
    if not server.started:
        raise SetupError("The web process could not start; the log says why.")


class Server(uvicorn.Server):
    """Ends the streams that would never end by themselves as soon as it is told to stop."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        bus.current().feed.end()
        await super().shutdown(sockets)


def server_config(app: Asgi, web: WebSettings) -> uvicorn.Config:
    """How uvicorn runs the application; one process, because its state is in Redis and it needs little."""
    return uvicorn.Config(
        app,
        loop="auto",
        http=BoundedHttp,
        ws="websockets-sansio",
        ws_max_size=MAX_WEBSOCKET_MESSAGE,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(web.trusted_proxies),
        forwarded_allow_ips=web.trusted_proxies,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=BACKLOG,
    )


def listen(web: WebSettings) -> socket.socket:
    """A bound socket, so that a busy port is one clear sentence before anything else happens."""
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((web.host or "0.0.0.0", web.port))  # noqa: S104 - an empty host means every address
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise SetupError(
            f"Port {web.port} on {web.host} can't be used ({reason}); choose another with --port."
        ) from None
    listener.set_inheritable(True)
    return listener
