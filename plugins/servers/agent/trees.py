"""Whole directory trees, by descriptors only: the part of ``beneath`` that walks.

A server may move, swap and nest its directories while we walk, as deep as it likes: no step follows a link or
trusts a name twice, and neither descriptors nor the stack grow with the depth. All raise ``OSError``.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections import deque
from contextlib import suppress

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(parent: int, name: bytes) -> None:
    """Delete the thing of that name, a directory with all that is in it."""
    if _unlinked(parent, name):
        return
    top = _open_writable(parent, name)
    try:
        pending = deque(_names(top))
        while pending:
            with suppress(FileNotFoundError):
                pending.extend(_flatten(top, pending.popleft()))
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=parent)


def usage(top: int) -> int:
    """Bytes that all below a directory take on disk, each file once; a lower bound while directories are moved."""
    total = 0
    seen: set[tuple[int, int]] = set()
    trail: list[tuple[tuple[int, int], list[bytes]]] = []
    fd = os.open(".", DIRECTORY, dir_fd=top)
    try:
        while True:
            size, inside = _measure(fd, seen)
            total += size
            trail.append((_identity(fd), inside))
            down = _next_directory(fd, trail)
            if down is None:
                return total
            fd = down
    finally:
        os.close(fd)


def _flatten(top: int, name: bytes) -> list[bytes]:
    """Delete an entry of ``top``; its subdirectories are moved up into ``top``, under the names returned."""
    if _unlinked(top, name):
        return []
    moved = []
    fd = _open_writable(top, name)
    try:
        for child in _names(fd):
            with suppress(FileNotFoundError):
                if _unlinked(fd, child):
                    continue
                # Moving a directory writes its "..", so it must be writable itself.
                os.close(_open_writable(fd, child))
                fresh = secrets.token_hex(16).encode()
                os.rename(child, fresh, src_dir_fd=fd, dst_dir_fd=top)
                moved.append(fresh)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=top)
    return moved


def _names(fd: int) -> list[bytes]:
    with os.scandir(fd) as entries:
        return [os.fsencode(entry.name) for entry in entries]


def _unlinked(parent: int, name: bytes) -> bool:
    """Delete anything but a directory; False for a directory."""
    try:
        os.unlink(name, dir_fd=parent)
    except (IsADirectoryError, PermissionError):
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise
        return False
    return True


def _open_writable(parent: int, name: bytes) -> int:
    """Open a directory, giving ourselves the right to change it where it is ours and read-only."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        mode = os.fstat(handle).st_mode
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            with suppress(PermissionError):
                os.chmod(f"/proc/self/fd/{handle}", stat.S_IMODE(mode) | stat.S_IRWXU)  # noqa: PTH101 - a descriptor
        return os.open(".", DIRECTORY, dir_fd=handle)
    finally:
        os.close(handle)


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


def _measure(fd: int, seen: set[tuple[int, int]]) -> tuple[int, list[bytes]]:
    """Bytes of a directory and its files, and the names of its subdirectories."""
    total = os.fstat(fd).st_blocks * 512
    directories = []
    with os.scandir(fd) as entries:
        for entry in entries:
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    directories.append(os.fsencode(entry.name))
                elif status.st_nlink == 1:
                    total += status.st_blocks * 512
                elif (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    total += status.st_blocks * 512
    return total, directories


def _next_directory(fd: int, trail: list[tuple[tuple[int, int], list[bytes]]]) -> int | None:
    """The next directory to measure, in the place of ``fd`` (closed then); None, ``fd`` left open, at the end.

    ``trail`` holds, from the top down, each directory's identity and its subdirectories still to be measured.
    """
    current = os.dup(fd)
    try:
        while trail:
            pending = trail[-1][1]
            while pending:
                with suppress(OSError):
                    inner = os.open(pending.pop(), DIRECTORY, dir_fd=current)
                    os.close(fd)
                    return inner
            trail.pop()
            if not trail:
                return None
            above = os.open("..", DIRECTORY, dir_fd=current)
            os.close(current)
            current = above
            # Moved meanwhile: ".." is some other directory now, perhaps outside.
            if _identity(current) != trail[-1][0]:
                return None
        return None
    finally:
        os.close(current)
