"""What an import is sent as: one document, a form with the files of a blueprint, or where to find it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import falcon
import msgspec

from stellar.errors import Invalid, TooLarge
from stellar.http import Request
from stellar.http.body import READ_SECONDS, TooSlow, UnsupportedType, parse_json, read_bytes

from .archive import MAX_ARCHIVE
from .incoming import fetched, told_apart
from .schemas import ImportSource

MAX_UPLOAD = MAX_ARCHIVE
"""Bytes of a request."""
MAX_PARTS = 8

JSON = "application/json"
FORM = "multipart/form-data"
UPLOADS = ("application/toml", "application/zip", JSON, "application/yaml", FORM)
_ALSO = frozenset({"application/x-zip-compressed", "text/plain", "text/x-toml", "text/yaml", "application/x-yaml"})
_SOURCE = frozenset(ImportSource.__struct_fields__)


async def uploaded(req: Request) -> dict[str, bytes]:
    """The files of a request by name; ``UnsupportedType`` for a body of another type."""
    kind = (req.content_type or "").partition(";")[0].strip().lower()
    if kind == FORM:
        return await _form(req)
    if kind not in _ALSO.union(UPLOADS):
        raise UnsupportedType(f"Send a blueprint or an egg as {', '.join(UPLOADS[:-1])} or {FORM}.")
    data = await read_bytes(req, MAX_UPLOAD)
    if kind == JSON and (source := _source(data)) is not None:
        return await _found(source)
    return told_apart(data, "egg.json" if kind == JSON else "")


def _source(data: bytes) -> ImportSource | None:
    """A body of nothing but an address or a text; None for one that is the egg itself."""
    try:
        given = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    is_source = isinstance(given, dict) and given.keys() <= _SOURCE
    return cast(ImportSource, parse_json(data, ImportSource)) if is_source else None


async def _found(source: ImportSource) -> dict[str, bytes]:
    if (source.url is None) == (source.text is None):
        problem = "Give either url or text."
        raise Invalid(problem, fields={"url": problem, "text": problem})
    if source.url is not None:
        return await fetched(source.url)
    text = source.text or ""
    if not text.strip():
        problem = "Give a file, an address or the text."
        raise Invalid(problem, fields={"text": problem})
    return told_apart(text.encode())


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
        return told_apart(data, name)
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
