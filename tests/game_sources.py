"""A local server that answers like the places that games are downloaded from, told apart by their addresses."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Answer:
    """What is at one address. ``cut``: only so many bytes come, the first ``cut_times`` times."""

    body: bytes = b""
    status: int = 200
    location: str = ""
    cut: int | None = None
    cut_times: int = 1
    fail_times: int = 0


@dataclass
class Sources:
    """``answers`` by full address; ``asked`` and ``ranges`` are what came, in order."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    port: int = 0

    def put(self, url: str, body: bytes | str | Any = b"", **more: Any) -> bytes:
        """Offer bytes, text, or anything else as JSON; answers with the bytes."""
        data = (
            body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        )
        self.answers[url] = Answer(data, **more)
        return data

    @property
    def mirrors(self) -> str:
        """What makes install scripts come here."""
        hosts = {f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" for url in self.answers}
        return " ".join(sorted(f"{host}=http://127.0.0.1:{self.port}/{host}" for host in hosts))


@contextmanager
def game_sources() -> Iterator[Sources]:
    """A server that knows nothing yet."""
    sources = Sources()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = self.path[1:]
            sources.asked.append(url)
            sources.agents.add(self.headers.get("User-Agent", ""))
            answer = sources.answers.get(url, Answer(b"no such thing", 404))
            if answer.fail_times:
                answer.fail_times -= 1
                answer = Answer(b"busy", 503)
            begin = 0
            if wanted := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
                sources.ranges.append(wanted[0])
                begin = int(wanted[1])
            body = answer.body[begin:]
            self.send_response(302 if answer.location else 206 if begin else answer.status)
            if answer.location:
                self.send_header("Location", answer.location)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(answer.body) - 1}/{len(answer.body)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if answer.cut is not None and answer.cut_times:
                answer.cut_times -= 1
                body = body[: answer.cut]
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sources.port = server.server_port
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield sources
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sha256(data: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha1(data: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha1(data).hexdigest()


def tarred(files: dict[str, bytes | str], kind: str = "gz", mode: int = 0o755) -> bytes:
    """A TAR file; ``kind`` is how it is compressed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{kind}") as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), mode
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def zipped(files: dict[str, bytes | str]) -> bytes:
    """A ZIP file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
