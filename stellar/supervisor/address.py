"""The address that the web process is going to listen on."""

from __future__ import annotations

import errno
import socket

from ..errors import SetupError

PROBE_SECONDS = 1.0
EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def check_free(host: str, port: int) -> None:
    """``SetupError`` with the remedy unless we could listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.getaddrinfo(host or None, port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise SetupError(f"The address {host} is not known ({error.strerror}); choose another with --host.") from None
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(found[0][4])
            listener.listen(1)
        except OSError as error:
            raise SetupError(_problem(error, host, port)) from None


def _problem(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use by another program; choose another one with --port."
    if error.errno == errno.EACCES:
        return f"This user may not listen on port {port}; choose one above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"This machine has no address {host}; choose another with --host."
    return f"It is not possible to listen on {host} port {port}: {error.strerror}."


def answers(host: str, port: int) -> bool:
    """Whether the web process answers ``/healthz`` with 200."""
    target = EVERYWHERE.get(host, host)
    request = f"GET /healthz HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((target, port), PROBE_SECONDS) as connection:
            connection.sendall(request.encode())
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False
