"""Static files: where they are, at which address, and serving them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import mimetypes
import re
from pathlib import Path
from typing import Any

import falcon
import falcon.asgi

PREFIX = "/static/"
HASHED = re.compile(r"-[A-Z0-9]{8}\.[a-z0-9]+(?:\.[a-z]+)?\Z")
FOREVER = "public, max-age=31536000, immutable"
ASK = "public, no-cache"
TYPES = {".woff2": "font/woff2", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


class Assets:
    """The files below the ``static`` directory of each owner: ``core``, a plugin, or ``themes/<name>``."""

    def __init__(self, roots: dict[str, Path]) -> None:
        self._roots = {owner: root.resolve() for owner, root in roots.items()}
        self._digests: dict[Path, tuple[int, str]] = {}
        self._manifests: dict[Path, tuple[int, dict[str, str]]] = {}

    def url(self, name: str) -> str:
        """The address of ``<owner>/<path>``, such as ``console/console.js``; changes with the content.

        A built file is named without the hash that its file name carries. ``LookupError`` when there is none.
        """
        owner, path = self._split(name)
        if owner is None:
            raise LookupError(f"the asset {name} belongs to nobody")
        file = self._roots[owner] / path
        built = self._manifest(file.parent).get(file.name)
        if built is not None:
            return f"{PREFIX}{name.rpartition('/')[0]}/{built}"
        try:
            return f"{PREFIX}{name}?v={self._digest(file)}"
        except OSError:
            message = f"there is no asset {name}; build the assets with `python packaging/assets.py`"
            raise LookupError(message) from None

    def has(self, name: str) -> bool:
        """Whether ``url(name)`` would find it."""
        try:
            self.url(name)
        except LookupError:
            return False
        return True

    def find(self, name: str) -> Path | None:
        """The file behind an address without its prefix; None for anything that isn't below a ``static`` folder."""
        owner, path = self._split(name)
        if owner is None or any(part.startswith(".") or part == "" for part in path.split("/")) or "\x00" in path:
            return None
        root = self._roots[owner]
        try:
            file = (root / path).resolve()
            return file if file.is_relative_to(root) and file.is_file() else None
        except OSError:
            return None

    def _split(self, name: str) -> tuple[str | None, str]:
        depth = 2 if name.startswith("themes/") else 1
        parts = name.split("/")
        owner = "/".join(parts[:depth])
        return (owner if owner in self._roots else None), "/".join(parts[depth:])

    def _digest(self, file: Path) -> str:
        about = file.stat()
        known = self._digests.get(file)
        if known is None or known[0] != about.st_mtime_ns:
            known = (about.st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest()[:12])
            self._digests[file] = known
        return known[1]

    def _manifest(self, folder: Path) -> dict[str, str]:
        path = folder / "manifest.json"
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            return {}
        known = self._manifests.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, json.loads(path.read_text("utf-8")))
            self._manifests[path] = known
        return known[1]


class StaticSink:
    """Serves what ``Assets`` finds: GET and HEAD, compressed where a ``.gz`` lies beside it, cached by browsers."""

    def __init__(self, assets: Assets) -> None:
        self.assets = assets

    async def __call__(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, **_: Any) -> None:
        """Answer a request below ``/static/``."""
        if req.method not in ("GET", "HEAD"):
            raise falcon.HTTPMethodNotAllowed(["GET", "HEAD"])
        file = self.assets.find(req.path.removeprefix(PREFIX))
        if file is None:
            raise falcon.HTTPNotFound
        await self._send(req, resp, file)

    async def _send(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, file: Path) -> None:
        resp.content_type = TYPES.get(file.suffix) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.set_header("Cache-Control", FOREVER if HASHED.search(file.name) or req.get_param("v") else ASK)
        packed = file.with_name(f"{file.name}.gz")
        if packed.is_file():
            resp.set_header("Vary", "Accept-Encoding")
            if "gzip" in (req.get_header("Accept-Encoding") or ""):
                resp.set_header("Content-Encoding", "gzip")
                file = packed
        about = file.stat()
        tag = f"{about.st_mtime_ns:x}-{about.st_size:x}{'z' if file == packed else ''}"
        resp.etag = tag
        if req.if_none_match and any(known in ("*", tag) for known in req.if_none_match):
            resp.status = falcon.HTTP_304
            return
        if req.method == "HEAD":
            resp.set_header("Content-Length", str(about.st_size))
            return
        resp.data = await asyncio.to_thread(file.read_bytes)
