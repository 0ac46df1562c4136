"""How a file is described to people."""

from __future__ import annotations

import mimetypes
from datetime import UTC, datetime
from pathlib import PurePosixPath

from stellar.plugins.servers.agent.beneath import Entry

from ..calls import FileEntry

MAX_EDITABLE = 2 * 1024 * 1024
"""Bytes of a file that an editor in a browser still handles well."""

_TEXT_TYPES = frozenset({"application/json", "application/xml", "application/x-sh", "application/javascript"})
_BINARY_SUFFIXES = frozenset(
    {".7z", ".bak", ".bin", ".br", ".bz2", ".class", ".dat", ".dat_old", ".db", ".dll", ".exe", ".gz", ".jar", ".lock"}
    | {".mca", ".mcr", ".nbt", ".o", ".pak", ".phar", ".pyc", ".rar", ".schem", ".schematic", ".so", ".sqlite", ".tar"}
    | {".tgz", ".war", ".wasm", ".xz", ".zip", ".zst"}
)


def describe(entry: Entry) -> FileEntry:
    """An entry as the panel gets it."""
    mime = mimetypes.guess_type(entry.name)[0] if entry.kind == "file" else None
    return FileEntry(
        name=entry.name,
        kind=entry.kind,
        size=entry.size,
        mode=f"{entry.mode:04o}",
        modified=_moment(entry.modified),
        mime=mime,
        editable=_editable(entry, mime),
        version=version_of(entry.modified, entry.size, entry.inode),
    )


def version_of(modified: int, size: int, inode: int) -> str:
    """What changes with a file; ``modified`` is in nanoseconds."""
    return f"{modified}-{size}-{inode}"


def _editable(entry: Entry, mime: str | None) -> bool:
    if entry.kind != "file" or entry.size > MAX_EDITABLE:
        return False
    if PurePosixPath(entry.name).suffix.lower() in _BINARY_SUFFIXES:
        return False
    return mime is None or mime.startswith("text/") or mime in _TEXT_TYPES or mime.endswith(("+xml", "+json"))


def _moment(nanoseconds: int) -> datetime:
    """A file's time; the epoch for one beyond what a calendar holds."""
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)
