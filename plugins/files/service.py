"""A server's files as the panel works with them: may the actor, then ask the server's node, then note it down.

These are coroutines, because nearly all of their work is waiting for a node.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.bus import bus
from stellar.db import call
from stellar.errors import Conflict, DomainError, TooLarge
from stellar.plugins.servers.models import Server
from stellar.plugins.servers.service import get_server

from .calls import (
    MAX_CHUNK,
    DeleteFiles,
    FileChunk,
    FileEntry,
    Listed,
    ListFiles,
    MakeFolder,
    ReadFile,
    RenameFile,
    Result,
    Stat,
    UploadStarted,
    WriteAbort,
    WriteBegin,
    WriteChunk,
    WriteCommit,
)
from .schemas import Listing

T = TypeVar("T")

log = logging.getLogger(__name__)

TIMEOUT = 20.0
"""Seconds for a node to do one thing."""
SLOW_TIMEOUT = 300.0
"""Seconds to delete a whole world, or to bring a large upload to a slow disk."""


@dataclass(frozen=True)
class Download:
    """A file that is being read; ``chunks`` raises in the middle when the file is replaced or cut short."""

    name: str
    size: int
    version: str
    chunks: AsyncIterator[bytes]


async def listing(actor: Actor, server_id: str, path: str, offset: int, limit: int) -> Listing:
    """A part of a directory."""
    server = await call(get_server, actor, server_id, "files.read")
    found = await _ask(server, "files.list", ListFiles(server.id, path, offset, limit), Listed)
    return Listing(path, found.entries, found.total, offset)


async def stat(actor: Actor, server_id: str, path: str) -> FileEntry:
    """What is at a path."""
    server = await call(get_server, actor, server_id, "files.read")
    return await _ask(server, "files.stat", Stat(server.id, path), FileEntry)


async def download(actor: Actor, server_id: str, path: str) -> Download:
    """A file's content as it is at this moment; what is appended meanwhile isn't part of it."""
    server = await call(get_server, actor, server_id, "files.read")
    first = await _ask(server, "files.read", ReadFile(server.id, path), FileChunk)
    name = path.rstrip("/").rpartition("/")[2]
    return Download(name, first.size, first.version, _chunks(server, path, first))


async def upload(
    actor: Actor,
    server_id: str,
    path: str,
    body: AsyncIterator[bytes],
    *,
    announced: int | None,
    limit: int,
    versions: list[str] | None = None,
) -> FileEntry:
    """Put ``body`` in the place of a file, or make the file; until all has arrived, nothing changes.

    ``announced`` is what the sender says is its size, ``limit`` the largest allowed (bytes). What ``body`` raises
    ends the upload. ``Changed`` when the file that is replaced is none of ``versions``.
    """
    server = await call(get_server, actor, server_id, "files.write")
    if announced is not None and announced > limit:
        raise _too_large(limit)
    create = await call(actor.allowed, "files.create", server)
    begin = WriteBegin(server.id, path, create, announced)
    started = await _ask(server, "files.write_begin", begin, UploadStarted)
    try:
        size, digest = await _send(server, started.upload, body, limit)
        await call(get_server, actor, server_id, "files.write")
        commit = WriteCommit(started.upload, size, digest, versions)
        entry = await _ask(server, "files.write_commit", commit, FileEntry, SLOW_TIMEOUT)
    except BaseException:
        await asyncio.shield(_abort(server, started.upload))
        raise
    await _note(actor, "files.write", server, path=path, size=size)
    return entry


async def make_folder(actor: Actor, server_id: str, path: str) -> FileEntry:
    """Make a directory."""
    server = await call(get_server, actor, server_id, "files.create")
    entry = await _ask(server, "files.folder", MakeFolder(server.id, path), FileEntry)
    await _note(actor, "files.folder", server, path=path)
    return entry


async def rename(actor: Actor, server_id: str, source: str, target: str) -> FileEntry:
    """Move a file or directory."""
    server = await call(get_server, actor, server_id, "files.write")
    entry = await _ask(server, "files.rename", RenameFile(server.id, source, target), FileEntry)
    await _note(actor, "files.rename", server, **{"from": source, "to": target})
    return entry


async def delete(actor: Actor, server_id: str, paths: list[str]) -> None:
    """Delete files and whole directories, one after the other; stops at the first that can't be."""
    server = await call(get_server, actor, server_id, "files.delete")
    await _ask(server, "files.delete", DeleteFiles(server.id, paths), Result, SLOW_TIMEOUT)
    await _note(actor, "files.delete", server, paths=paths)


async def _ask(server: Server, method: str, params: msgspec.Struct, returns: type[T], timeout: float = TIMEOUT) -> T:
    return await bus.current().call(server.node_id, method, params, returns=returns, timeout=timeout)


async def _note(actor: Actor, action: str, server: Server, **details: Any) -> None:
    await call(audit.record, actor, action, target_type="server", target_id=server.id, details=details)


async def _chunks(server: Server, path: str, first: FileChunk) -> AsyncIterator[bytes]:
    """The bytes that the file had at the first read: a log that grows meanwhile is no reason to stop."""
    chunk, offset = first, 0
    while True:
        data = chunk.data[: first.size - offset]
        offset += len(data)
        if data:
            yield data
        if offset >= first.size:
            return
        chunk = await _ask(server, "files.read", ReadFile(server.id, path, offset, MAX_CHUNK), FileChunk)
        if not chunk.data or _inode(chunk) != _inode(first):
            raise Conflict(f"“{path}” was replaced while it was being downloaded: download it again.")


def _inode(chunk: FileChunk) -> str:
    return chunk.version.rpartition("-")[2]


async def _send(server: Server, upload_id: str, body: AsyncIterator[bytes], limit: int) -> tuple[int, str]:
    """Pass a body on to the node; answers how many bytes it had, and their SHA-256."""
    digest = hashlib.sha256()
    offset = 0
    async for data in _regrouped(body):
        if offset + len(data) > limit:
            raise _too_large(limit)
        digest.update(data)
        await _ask(server, "files.write_chunk", WriteChunk(upload_id, offset, data), Result)
        offset += len(data)
    return offset, digest.hexdigest()


async def _regrouped(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of ``MAX_CHUNK``, the last one shorter."""
    buffer = bytearray()
    async for data in body:
        buffer += data
        while len(buffer) >= MAX_CHUNK:
            yield bytes(buffer[:MAX_CHUNK])
            del buffer[:MAX_CHUNK]
    if buffer:
        yield bytes(buffer)


async def _abort(server: Server, upload_id: str) -> None:
    try:
        await _ask(server, "files.write_abort", WriteAbort(upload_id), Result)
    except DomainError as error:
        log.debug("the node will drop an upload to the server %s by itself: %s", server.id, error)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"A file may have at most {limit // (1024 * 1024):,} MB here; the setting is files.max_upload_mb.")
