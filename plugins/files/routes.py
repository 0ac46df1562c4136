"""The API of files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from stellar.extend.registry import RouteRegistrar
from stellar.http import Answer, Limit, Request, Stream, endpoint
from stellar.http.body import Malformed, TooSlow

from . import service
from .calls import FileEntry
from .schemas import Listing, ListQuery, NewFolder, PathQuery, PathsQuery, Rename
from .settings import FilesSettings

UPLOADS = Limit(3000, 60)
"""A folder of many small files is uploaded one request each."""
BYTES = "application/octet-stream"
IDLE_SECONDS = 60.0
"""How long an upload may send nothing."""


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/servers/{server_id}/files", Files())
    routes.add("/servers/{server_id}/files/content", Content())
    routes.add("/servers/{server_id}/files/rename", Renaming())
    routes.add("/servers/{server_id}/files/folder", Folder())


class Files:
    """``/servers/{server_id}/files``"""

    @endpoint(permission="files.read", query=ListQuery, returns=Listing, problems=(409,))
    async def on_get(self, req: Request, server_id: str, query: ListQuery) -> Listing:
        """List a directory, directories first, in pages of at most 500 entries."""
        return await service.listing(req.actor, server_id, query.path, query.offset, query.limit)

    @endpoint(permission="files.delete", query=PathsQuery)
    async def on_delete(self, req: Request, server_id: str, query: PathsQuery) -> None:
        """Delete files and whole directories; repeat ``path`` for several."""
        await service.delete(req.actor, server_id, query.path)


class Content:
    """``/servers/{server_id}/files/content``"""

    @endpoint(permission="files.read", query=PathQuery, returns=Stream, downloads=(BYTES,), problems=(409, 413))
    async def on_get(self, req: Request, server_id: str, query: PathQuery) -> Stream:
        """Download a file. It is never shown as a page, whatever it holds."""
        found = await service.download(req.actor, server_id, query.path)
        headers = {"ETag": f'"{found.version}"', "Cache-Control": "private, no-store"}
        return Stream(found.chunks, length=found.size, filename=found.name, headers=headers)

    @endpoint(
        permission="files.write",
        query=PathQuery,
        returns=FileEntry,
        limit=UPLOADS,
        uploads=(BYTES,),
        problems=(412,),
    )
    async def on_put(self, req: Request, server_id: str, query: PathQuery) -> Answer:
        """Upload a file: the request's raw body becomes its content, all at once when it is complete.

        With an ``If-Match`` header only what has that ``ETag`` is replaced.
        """
        limit = req.config.section(FilesSettings).max_upload_mb * 1024 * 1024
        entry = await service.upload(
            req.actor,
            server_id,
            query.path,
            _body(req),
            announced=req.content_length,
            limit=limit,
            versions=_matching(req),
        )
        return Answer(entry, headers={"ETag": f'"{entry.version}"'})


class Renaming:
    """``/servers/{server_id}/files/rename``"""

    @endpoint(permission="files.write", body=Rename, returns=FileEntry)
    async def on_post(self, req: Request, server_id: str, body: Rename) -> FileEntry:
        """Move a file or directory; nothing is overwritten."""
        return await service.rename(req.actor, server_id, body.source, body.target)


class Folder:
    """``/servers/{server_id}/files/folder``"""

    @endpoint(permission="files.create", body=NewFolder, returns=FileEntry, status=201, limit=UPLOADS)
    async def on_post(self, req: Request, server_id: str, body: NewFolder) -> FileEntry:
        """Make a directory, and its missing parents."""
        return await service.make_folder(req.actor, server_id, body.path)


def _matching(req: Request) -> list[str] | None:
    """The versions that ``If-Match`` names; a weak one never matches."""
    header = req.get_header("If-Match")
    if header is None:
        return None
    tags = [tag.strip() for tag in header.split(",")]
    return [tag.strip('"') for tag in tags if tag == "*" or (len(tag) > 1 and tag[0] == tag[-1] == '"')]


async def _body(req: Request) -> AsyncIterator[bytes]:
    """The request's body as it comes; raises for one that isn't whole or doesn't come."""
    received = 0
    stream = aiter(req.stream)
    while (data := await _next(stream)) is not None:
        received += len(data)
        yield data
    if received < (req.content_length or 0) or (req.content_length is None and await _gone(req)):
        raise Malformed("The upload ended before it was complete; nothing was changed.")


async def _next(stream: AsyncIterator[bytes]) -> bytes | None:
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            return await anext(stream, None)
    except TimeoutError:
        raise TooSlow("The upload stopped coming; nothing was changed.") from None


async def _gone(req: Request) -> bool:
    """Whether the client has left: a body of unknown length looks the same then as a whole one."""
    event = asyncio.ensure_future(req.receive())
    await asyncio.sleep(0)
    event.cancel()
    found = (await asyncio.gather(event, return_exceptions=True))[0]
    return isinstance(found, dict) and found["type"] == "http.disconnect"
