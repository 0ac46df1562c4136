"""The calls of the files plugin on a node."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from stellar.extend.agent import AgentContext, AgentRegistrar
from stellar.plugins.servers.agent.beneath import Root
from stellar.plugins.servers.agent.manager import ServerManager

from ..calls import (
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
from .denied import check_allowed
from .entries import describe, version_of
from .uploads import Uploads

T = TypeVar("T")

TEND_SECONDS = 30.0


async def start(context: AgentContext) -> None:
    """Tidy up after an agent that was killed."""
    manager = context.get(ServerManager)
    uploads = Uploads(context.data / "uploads", lambda server_id: manager.layout(server_id).data)
    context.provide(uploads)
    await asyncio.to_thread(uploads.recover)


async def stop(context: AgentContext) -> None:
    """Drop unfinished uploads."""
    await context.get(Uploads).close()


async def tend(context: AgentContext) -> None:
    """Drop abandoned uploads, as long as the agent runs."""
    while True:
        await asyncio.sleep(TEND_SECONDS)
        await context.get(Uploads).expire()


async def list_files(context: AgentContext, params: ListFiles) -> Listed:
    """``files.list``."""

    def work(root: Root) -> Listed:
        entries, total = root.list(params.path, params.offset, params.limit)
        return Listed([describe(entry) for entry in entries], total)

    return await _in(context, params.server_id, work)


async def stat(context: AgentContext, params: Stat) -> FileEntry:
    """``files.stat``."""
    return await _in(context, params.server_id, lambda root: describe(root.stat(params.path)))


async def read(context: AgentContext, params: ReadFile) -> FileChunk:
    """``files.read``."""

    def work(root: Root) -> FileChunk:
        fd = root.open(params.path)
        try:
            data = os.pread(fd, params.limit, params.offset)
            status = os.fstat(fd)
        finally:
            os.close(fd)
        version = version_of(status.st_mtime_ns, status.st_size, status.st_ino)
        return FileChunk(data, status.st_size, params.offset + len(data) >= status.st_size, version)

    return await _in(context, params.server_id, work)


async def write_begin(context: AgentContext, params: WriteBegin) -> UploadStarted:
    """``files.write_begin``."""
    manager = context.get(ServerManager)
    server = manager.get(params.server_id).server
    check_allowed(server, params.path)
    room = await manager.meter.room(server)
    uploads = context.get(Uploads)
    token = await uploads.begin(params.server_id, params.path, create=params.create, size=params.size, room=room)
    return UploadStarted(token)


async def write_chunk(context: AgentContext, params: WriteChunk) -> Result:
    """``files.write_chunk``."""
    await context.get(Uploads).append(params.upload, params.offset, params.data)
    return Result()


async def write_commit(context: AgentContext, params: WriteCommit) -> FileEntry:
    """``files.write_commit``."""
    done = await context.get(Uploads).commit(params.upload, params.size, params.sha256, params.versions)
    manager = context.get(ServerManager)
    manager.meter.grown(manager.get(done.server_id).server, done.grown)
    return describe(done.entry)


async def write_abort(context: AgentContext, params: WriteAbort) -> Result:
    """``files.write_abort``."""
    await context.get(Uploads).abort(params.upload)
    return Result()


async def folder(context: AgentContext, params: MakeFolder) -> FileEntry:
    """``files.folder``."""

    def work(root: Root) -> FileEntry:
        root.mkdir(params.path)
        return describe(root.stat(params.path))

    manager = context.get(ServerManager)
    await manager.meter.check_writable(manager.get(params.server_id).server)
    return await _in(context, params.server_id, work)


async def rename(context: AgentContext, params: RenameFile) -> FileEntry:
    """``files.rename``."""

    def work(root: Root) -> FileEntry:
        root.rename(params.source, params.target)
        return describe(root.stat(params.target))

    check_allowed(context.get(ServerManager).get(params.server_id).server, params.source, params.target)
    return await _in(context, params.server_id, work)


async def delete(context: AgentContext, params: DeleteFiles) -> Result:
    """``files.delete``."""

    def work(root: Root) -> Result:
        for path in params.paths:
            root.remove(path)
        return Result()

    manager = context.get(ServerManager)
    check_allowed(manager.get(params.server_id).server, *params.paths)
    try:
        return await _in(context, params.server_id, work)
    finally:
        manager.meter.changed(manager.get(params.server_id).server)


async def _in(context: AgentContext, server_id: str, work: Callable[[Root], T]) -> T:
    """Do something in a server's files, in a thread."""
    data: Path = context.get(ServerManager).layout(server_id).data

    def run() -> T:
        with Root(data) as root:
            return work(root)

    return await asyncio.to_thread(run)


HANDLERS: dict[str, Callable[..., Awaitable[Any]]] = {
    "files.list": list_files,
    "files.stat": stat,
    "files.read": read,
    "files.write_begin": write_begin,
    "files.write_chunk": write_chunk,
    "files.write_commit": write_commit,
    "files.write_abort": write_abort,
    "files.folder": folder,
    "files.rename": rename,
    "files.delete": delete,
}


def wire(agent: AgentRegistrar) -> None:
    """Register everything of the files plugin that runs on a node."""
    agent.start(start)
    agent.stop(stop)
    agent.task(tend)
    for method, handler in HANDLERS.items():
        agent.handler(method, handler)
