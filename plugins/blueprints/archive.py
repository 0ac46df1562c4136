"""A blueprint as a ZIP file: ``blueprint.toml`` and what it names beside it, at the top or in one folder."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from pathlib import PurePosixPath

from stellar.errors import Invalid

from .beside import MAX_ICON, MAX_SCRIPT
from .format import FILE_NAME, MAX_SOURCE

MAX_ENTRIES = 64
MAX_ARCHIVE = 1024 * 1024
"""Bytes, compressed."""
MAX_FILE = max(MAX_SOURCE, MAX_ICON, MAX_SCRIPT)

_EPOCH = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED = 0x1


def pack(files: dict[str, bytes]) -> bytes:
    """The archive of some files; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of an archive by plain name; nothing is written anywhere.

    ``Invalid`` for a path that leads elsewhere, a link, a file that is too large once unpacked, or no blueprint.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _unpacked(archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, OSError) as error:
        raise _broken(f"can't be read: {error}") from None


def _unpacked(archive: zipfile.ZipFile) -> dict[str, bytes]:
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise _broken(f"may have at most {MAX_ENTRIES} entries")
    parts = {entry.filename: _checked(entry) for entry in entries}
    if len(parts) != len(entries):
        raise _broken("has two entries of one name")
    found = [path for path in parts.values() if path.name == FILE_NAME and len(path.parts) <= 2]
    if len(found) != 1:
        raise _broken(f"needs one {FILE_NAME}, at its top or in its only folder")
    folder = found[0].parent
    return {
        parts[entry.filename].name: _content(archive, entry)
        for entry in entries
        if not entry.is_dir() and parts[entry.filename].parent == folder
    }


def _checked(entry: zipfile.ZipInfo) -> PurePosixPath:
    name = entry.filename
    path = PurePosixPath(name)
    if (
        entry.orig_filename != name
        or "\\" in name
        or ":" in name
        or path.is_absolute()
        or ".." in path.parts
        or not name.isprintable()
    ):
        raise _broken(f"has an entry with the path {name[:80]!r}; only plain names are allowed")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _broken(f"has {name[:80]!r}, which is a link or a device; only files are allowed")
    if entry.flag_bits & _ENCRYPTED:
        raise _broken("is encrypted; make it without a password")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _broken("uses an unusual compression; make it with the ordinary one")
    return path


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """At most one byte too many is unpacked, whatever the entry says of its size."""
    with archive.open(entry) as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise _broken(f"has {entry.filename[:80]!r}, which has more than {MAX_FILE // 1024} KiB")
    return data


def _broken(problem: str) -> Invalid:
    return Invalid(f"The ZIP file {problem}.", code="blueprint_invalid")
