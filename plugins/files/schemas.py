"""What goes in and out of the API of files. Paths are relative to the server's data directory."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from .calls import MAX_PAGE, MAX_PATHS, Count, FileEntry, Path


class ListQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which part of which directory; an empty path is the topmost."""

    path: Path = ""
    offset: Count = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = MAX_PAGE


class Listing(msgspec.Struct):
    """A part of a directory, directories first, then by name; ``total`` entries are in it."""

    path: str
    entries: list[FileEntry]
    total: int
    offset: int

    __example__: ClassVar[dict[str, Any]] = {"path": "config"}


class PathQuery(msgspec.Struct, forbid_unknown_fields=True):
    """One file."""

    path: Path


class PathsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """``path``, once for each thing to delete."""

    path: Annotated[list[Path], msgspec.Meta(min_length=1, max_length=MAX_PATHS)]


class Rename(msgspec.Struct, forbid_unknown_fields=True):
    """Move a file or directory; nothing is ever overwritten."""

    source: Path = msgspec.field(name="from")
    target: Path = msgspec.field(name="to")

    __example__: ClassVar[dict[str, Any]] = {"source": "notes.txt", "target": "old/notes.txt"}


class NewFolder(msgspec.Struct, forbid_unknown_fields=True):
    """Make a directory, and its missing parents."""

    path: Path

    __example__: ClassVar[dict[str, Any]] = {"path": "worlds/backup"}
