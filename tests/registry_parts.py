"""A registry of one image, for those who sign in, at the loopback address of a daemon's own network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from docker_parts import Daemon, root_file_system

USER, PASSWORD = "ada", "let-me-in"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Registry(ThreadingHTTPServer):
    """Answers what ``docker pull`` asks; ``name`` is the image's."""

    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.name = f"127.0.0.1:{listener.getsockname()[1]}/private/game:3"
        files = root_file_system()
        layer = gzip.compress(files, 1)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(files)]},
        }
        content = json.dumps(config).encode()
        self.blobs = {digest(content): content, digest(layer): layer}
        parts = [{"mediaType": "x", "size": len(blob), "digest": found} for found, blob in self.blobs.items()]
        parts[0]["mediaType"] = "application/vnd.docker.container.image.v1+json"
        parts[1]["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip"
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": parts[0], "layers": parts[1:]}
        self.manifest = json.dumps(manifest).encode()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Registry

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            self.answer(401, b'{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}')
        elif "/manifests/" in self.path:
            self.answer(200, self.server.manifest, MANIFEST)
        else:
            self.answer(200, self.server.blobs.get(self.path.rpartition("/")[2], b"{}"))

    def answer(self, status: int, content: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="here"')
        if kind == MANIFEST:
            self.send_header("Docker-Content-Digest", digest(content))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@contextmanager
def registry_of(daemon: Daemon) -> Iterator[Registry]:
    """A registry that the daemon, and nobody else, can reach."""
    registry = Registry(daemon.inside(lambda: socket.create_server(("127.0.0.1", 0))))
    thread = threading.Thread(target=registry.serve_forever)
    thread.start()
    try:
        yield registry
    finally:
        registry.shutdown()
        thread.join()
        registry.server_close()
