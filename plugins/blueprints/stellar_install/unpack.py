"""Unpacking archives into the server's folder, around what its owner has changed."""

from __future__ import annotations

import fnmatch
import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from .console import fail, own_folder


def unpack(archive: Path, target: Path, *, strip: int = 0, keep: Iterable[str] = ()) -> None:
    """Unpack a ZIP or TAR file into ``target``, without the first ``strip`` parts of each path.

    Files that match one of ``keep`` (``*`` also stands for ``/``) stay as they are where there are any. What leads out
    of ``target`` ends the install. The archive is read to its end before anything of ``target`` changes.
    """
    fresh = own_folder() / "unpacking"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    try:
        _extract(archive, fresh)
        _move(fresh, target, strip, tuple(keep))
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        fail(f"{archive.name} can't be unpacked: {error}.")
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _extract(archive: Path, fresh: Path) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                path = Path(zipped.extract(entry, fresh))
                if path.is_file() and (mode := entry.external_attr >> 16 & 0o777):
                    path.chmod(mode | 0o600)
        return
    with tarfile.open(archive) as packed:
        for member in packed:
            _check(member)
            if hasattr(tarfile, "data_filter"):
                packed.extract(member, fresh, filter="data")
            else:
                packed.extract(member, fresh)


def _check(member: tarfile.TarInfo) -> None:
    """The same as tarfile's ``data`` filter, which not every Python has."""
    names = [member.name]
    if member.issym():
        names.append(str(Path(member.name).parent / member.linkname))
    elif member.islnk():
        names.append(member.linkname)
    elif not member.isfile() and not member.isdir():
        raise tarfile.TarError(f"{member.name} is neither a file nor a folder")
    for name in names:
        if Path(name).is_absolute() or os.path.normpath(name).split("/")[0] == "..":
            raise tarfile.TarError(f"{member.name} leads out of its folder")


def _move(fresh: Path, target: Path, strip: int, keep: tuple[str, ...]) -> None:
    for folder, names, files in os.walk(fresh):
        links = [name for name in names if Path(folder, name).is_symlink()]
        for name in (*files, *links):
            source = Path(folder, name)
            parts = source.relative_to(fresh).parts[strip:]
            if not parts:
                continue
            place = target.joinpath(*parts)
            if os.path.lexists(place) and any(fnmatch.fnmatchcase("/".join(parts), pattern) for pattern in keep):
                continue
            _make_way(place)
            source.replace(place)


def _make_way(place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir() and not place.is_symlink():
        fail(f"{place} is a folder, but the archive has a file of that name: move the folder away first.")
