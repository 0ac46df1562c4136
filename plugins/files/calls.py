"""What the panel asks of a node about a server's files: every call's parameters and result, shared by both sides.

Paths are relative to the server's data directory. A name that isn't UTF-8 is shown with U+F780..F7FF in the place
of such bytes, and can be sent back like that. Sizes are bytes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

MAX_CHUNK = 256 * 1024
"""Bytes of a file in one call."""
MAX_PAGE = 500
"""Entries of a directory in one call."""
MAX_PATHS = 100
"""Paths that one call deletes."""

Path = Annotated[str, msgspec.Meta(max_length=4096)]
Count = Annotated[int, msgspec.Meta(ge=0)]
UploadId = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]


class Params(msgspec.Struct, forbid_unknown_fields=True):
    """A call's parameters."""


class Result(msgspec.Struct, forbid_unknown_fields=True):
    """A call's result; an empty one just says that it's done."""


class FileEntry(Result):
    """One thing in a directory; a link is shown itself, not what it leads to."""

    name: str
    kind: Literal["file", "directory", "symlink", "other"]
    size: int
    mode: str
    """Octal, as ``0644``."""
    modified: datetime
    mime: str | None
    """A guess from the name, for files."""
    editable: bool
    """Whether it's worth a try in a text editor, judged by name and size."""
    version: str = ""
    """Changes with the file; what its ``ETag`` holds."""

    __example__: ClassVar[dict[str, Any]] = {
        "name": "server.properties",
        "kind": "file",
        "size": 512,
        "mode": "-rw-r--r--",
        "mime": "text/plain",
        "editable": True,
    }


class ListFiles(Params):
    """``files.list``: a part of a directory, directories first, then by name; ``Listed``."""

    server_id: str
    path: Path
    offset: Count = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = MAX_PAGE


class Listed(Result):
    """``total`` entries are in the directory (counted up to 100,000)."""

    entries: list[FileEntry]
    total: int


class Stat(Params):
    """``files.stat``; ``FileEntry``."""

    server_id: str
    path: Path


class ReadFile(Params):
    """``files.read``: at most ``limit`` bytes from ``offset`` on; ``FileChunk``."""

    server_id: str
    path: Path
    offset: Count = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_CHUNK)] = MAX_CHUNK


class FileChunk(Result):
    """``end``: nothing comes after ``data``. ``version`` changes with the file: mtime_ns-size-inode."""

    data: bytes
    size: int
    end: bool
    version: str


class WriteBegin(Params):
    """``files.write_begin``: begin to replace a file, or to make one if ``create``; ``UploadStarted``.

    ``size``, where it is known, is checked against the server's disk limit at once.
    """

    server_id: str
    path: Path
    create: bool = True
    size: Count | None = None


class UploadStarted(Result):
    """Nothing is seen of the new content before ``files.write_commit``."""

    upload: UploadId


class WriteChunk(Params):
    """``files.write_chunk``: append ``data``, which belongs at ``offset``; ``Result``."""

    upload: UploadId
    offset: Count
    data: Annotated[bytes, msgspec.Meta(max_length=MAX_CHUNK)]


class WriteCommit(Params):
    """``files.write_commit``: check what has arrived and put it in place; ``FileEntry``.

    ``versions``: of the file that is replaced, one of these (``*``: any), or else ``Changed``.
    """

    upload: UploadId
    size: Count
    sha256: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")] | None = None
    versions: list[str] | None = None


class WriteAbort(Params):
    """``files.write_abort``: drop what has arrived; ``Result``, also when it is gone already."""

    upload: UploadId


class MakeFolder(Params):
    """``files.folder``: make a directory and its missing parents; ``FileEntry``."""

    server_id: str
    path: Path


class RenameFile(Params):
    """``files.rename``: move without ever overwriting; ``FileEntry``."""

    server_id: str
    source: Path = msgspec.field(name="from")
    target: Path = msgspec.field(name="to")


class DeleteFiles(Params):
    """``files.delete``: delete files, links and whole directories; ``Result``. Stops at the first that can't be."""

    server_id: str
    paths: Annotated[list[Path], msgspec.Meta(min_length=1, max_length=MAX_PATHS)]
