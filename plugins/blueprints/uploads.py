"""The files of an import, however they are sent."""

from __future__ import annotations

import asyncio
from typing import Any

import falcon

from stellar.errors import Invalid, TooLarge
from stellar.http import Request
from stellar.http.body import READ_SECONDS, TooSlow, UnsupportedType, read_bytes

from .archive import MAX_ARCHIVE, unpack
from .format import FILE_NAME

MAX_UPLOAD = MAX_ARCHIVE
"""Bytes of a request."""
MAX_PARTS = 8

ZIP = frozenset({"application/zip", "application/x-zip-compressed"})
TOML = frozenset({"application/toml", "text/plain", "text/x-toml"})
FORM = "multipart/form-data"
UPLOADS = ("application/toml", "application/zip", FORM)


async def uploaded(req: Request) -> dict[str, bytes]:
    """The files of a request by name; ``UnsupportedType`` for a body of another type."""
    kind = (req.content_type or "").partition(";")[0].strip().lower()
    if kind == FORM:
        return await _form(req)
    if kind not in ZIP | TOML:
        raise UnsupportedType(f"Send a blueprint as application/toml, application/zip or {FORM}.")
    data = await read_bytes(req, MAX_UPLOAD)
    return unpack(data) if kind in ZIP else {FILE_NAME: data}


async def _form(req: Request) -> dict[str, bytes]:
    if (req.content_length or 0) > MAX_UPLOAD:
        raise _too_large()
    try:
        async with asyncio.timeout(READ_SECONDS):
            files = await _parts(await req.get_media())
    except TimeoutError:
        raise TooSlow("The body did not arrive in time.") from None
    except falcon.HTTPError as error:
        raise Invalid(f"The form can't be read: {error.description or error.title}.") from None
    if len(files) == 1:
        name, data = next(iter(files.items()))
        return unpack(data) if name.lower().endswith(".zip") else {FILE_NAME: data}
    return files


async def _parts(form: Any) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    room = MAX_UPLOAD
    async for part in form:
        if part.filename is None:
            continue
        data = await part.stream.read(room + 1)
        room -= len(data)
        if room < 0:
            raise _too_large()
        if part.filename in files or len(files) == MAX_PARTS:
            raise Invalid(f"The form may have at most {MAX_PARTS} files, of different names.")
        files[part.filename] = data
    return files


def _too_large() -> TooLarge:
    return TooLarge(f"The upload may have at most {MAX_UPLOAD} bytes.")
