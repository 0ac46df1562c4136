"""Project quotas: the file system itself counts what a server takes on disk, and refuses what is over its limit.

XFS and ext4 have them when they are mounted with ``prjquota`` (ext4 also needs the features ``project`` and
``quota``); setting them takes root. A directory's project is kept by the file system, and what is made in it
belongs to the same project.
"""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from . import trees
from .disk_tree import DEPTH
from .layout import TRIAL

log = logging.getLogger(__name__)

REMEDY = "mount the file system with the option prjquota (XFS, or ext4 with the features project and quota)"

PROJECTS = range(0x53000000, 0x54000000)
"""The numbers of our projects."""
_PROBE = PROJECTS[-1]

_PRJQUOTA = 2
_GET, _SET, _STATE = 0x800007, 0x800008, 0x5808
_ENFORCED = 1 << 5
_LIMIT, _BLOCK = 1, 1024
_QUOTACTL_FD = 443
_GET_ATTRIBUTES, _SET_ATTRIBUTES = 0x801C581F, 0x401C5820
_INHERIT = 0x200
_ATTRIBUTES = struct.Struct("=5I8x")
"""``struct fsxattr``: flags, extent size, extents, project, copy-on-write extent size."""
_QUOTA = struct.Struct("=8QI4x")
"""``struct if_dqblk``: hard and soft limit in KiB, bytes, the same of inodes, two times, which of them are meant."""
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class Quotas:
    """The quotas of the servers whose directories are below ``place``; ``problem`` says why there are none."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._projects: dict[Path, int] = {}
        self._limits: dict[Path, int] = {}
        self.problem = self._try()
        if not self.problem:
            for data in place.glob("*/data"):
                self._projects[data] = _project_of(data)

    def used(self, data: Path, limit: int) -> int | None:
        """Bytes that a server's directory takes, held to ``limit`` (0: none); None without quotas."""
        if self.problem:
            return None
        try:
            return self._used(data, limit)
        except OSError as error:
            log.warning("%s has no quota: %s", data, error)
            return None

    def release(self, data: Path) -> None:
        """Forget a server that is about to be deleted."""
        project = self._projects.pop(data, 0)
        self._limits.pop(data, None)
        if not self.problem and project in PROJECTS:
            with suppress(OSError), _directory(data) as fd:
                _set_limit(fd, project, 0)

    def _used(self, data: Path, limit: int) -> int:
        with _directory(data) as fd:
            project = self._projects.get(data, 0)
            if project not in PROJECTS:
                project = self._projects[data] = self._free(data)
                _adopt(fd, project)
            if self._limits.get(data) != limit:
                _set_limit(fd, project, limit)
                self._limits[data] = limit
            return _usage(fd, project)

    def _free(self, data: Path) -> int:
        """A number that no other server has."""
        taken = set(self._projects.values())
        start = zlib.crc32(os.fsencode(data))
        numbers = (PROJECTS[(start + step) % (len(PROJECTS) - 1)] for step in range(len(PROJECTS)))
        return next(number for number in numbers if number not in taken)

    def _try(self) -> str:
        """Why quotas don't work here, found out by setting one; empty when they do."""
        try:
            self._place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=TRIAL, dir=self._place) as name, _directory(Path(name)) as fd:
                if not _enforced(fd):
                    return f"The file system of {self._place} enforces no project quotas; {REMEDY}."
                _adopt(fd, _PROBE)
                _set_limit(fd, _PROBE, 1024 * 1024)
                (Path(name) / "file").write_bytes(bytes(65536))
                works = _usage(fd, _PROBE) >= 65536
                _set_limit(fd, _PROBE, 0)
                return "" if works else f"The file system of {self._place} doesn't count by project."
        except OSError as error:
            why = error.strerror or error
            return f"The file system of {self._place} takes no project quotas ({why}); as root, {REMEDY}."


def _adopt(top: int, project: int, depth: int = 0) -> None:
    """Put a directory and everything that is in it into a project; what is nested too deeply isn't counted then."""
    _assign(top, project, _INHERIT)
    if depth > DEPTH:
        return
    with os.scandir(top) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    with _opened(entry.name, trees.DIRECTORY, top) as inner:
                        _adopt(inner, project, depth + 1)
                elif entry.is_file(follow_symlinks=False):
                    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                    with _opened(entry.name, flags, top) as inner:
                        _assign(inner, project, 0)


def _project_of(directory: Path) -> int:
    with suppress(OSError), _directory(directory) as fd:
        return int(_attributes(fd)[3])
    return 0


def _attributes(fd: int) -> tuple[int, ...]:
    return _ATTRIBUTES.unpack(fcntl.ioctl(fd, _GET_ATTRIBUTES, bytes(_ATTRIBUTES.size)))


def _assign(fd: int, project: int, flags: int) -> None:
    before, extent, extents, _, cow = _attributes(fd)
    fcntl.ioctl(fd, _SET_ATTRIBUTES, _ATTRIBUTES.pack(before | flags, extent, extents, project, cow))


def _enforced(fd: int) -> bool:
    """Whether the file system holds projects to their limits: ``struct fs_quota_statv`` begins with its version."""
    state = _quotactl(fd, _STATE, 0, b"\x01".ljust(256, b"\0"))
    return bool(struct.unpack_from("=H", state, 2)[0] & _ENFORCED)


def _usage(fd: int, project: int) -> int:
    return int(_QUOTA.unpack(_quotactl(fd, _GET, project, bytes(_QUOTA.size)))[2])


def _set_limit(fd: int, project: int, limit: int) -> None:
    blocks = -(-limit // _BLOCK)
    _quotactl(fd, _SET, project, _QUOTA.pack(blocks, 0, 0, 0, 0, 0, 0, 0, _LIMIT))


def _quotactl(fd: int, command: int, project: int, data: bytes) -> bytes:
    buffer = ctypes.create_string_buffer(data, len(data))
    if _libc.syscall(_QUOTACTL_FD, fd, command << 8 | _PRJQUOTA, project, buffer) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return buffer.raw


@contextmanager
def _directory(path: Path) -> Iterator[int]:
    with _opened(path, trees.DIRECTORY, None) as fd:
        yield fd


@contextmanager
def _opened(name: Path | str, flags: int, above: int | None) -> Iterator[int]:
    fd = os.open(name, flags, dir_fd=above)
    try:
        yield fd
    finally:
        os.close(fd)
