"""The one way to a path below a server's root: every file verb, config patch and delete goes through here.

A game server may change its own tree at any moment, so nothing is checked by name and then used by name: the
kernel resolves a path (openat2, beneath the root, no magic links) to a descriptor, and all work is done
relative to descriptors. A path is text relative to the root; ``""``, ``"."`` and ``"/"`` are the root itself.
Every method raises ``DomainError``: a path that leaves the root is ``Invalid`` with code ``outside``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final, Literal

import msgspec

from stellar.errors import Conflict, DomainError, Forbidden, Invalid, NotFound, TooLarge, Unavailable

from . import trees

Parts = tuple[bytes, ...]
Opener = Callable[[int, Parts, int], int]
"""Opens the path (parts) below a directory's descriptor with flags; raises ``OSError``."""
Kind = Literal["file", "directory", "symlink", "other"]

LIST_MAX: Final = 100_000
"""Entries of one directory that are looked at."""
NAME_MAX: Final = 255
PATH_MAX: Final = 4095
_ESCAPED: Final = 0xF700
_KINDS: Final[dict[int, Kind]] = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Entry(msgspec.Struct, frozen=True):
    """One thing in a directory, itself (a link isn't followed). ``modified`` is in nanoseconds since the epoch."""

    name: str
    kind: Kind
    size: int
    mode: int
    modified: int
    inode: int


def show(name: bytes) -> str:
    """A file name as text that JSON can carry, and that ``parse`` turns into the same bytes again.

    A byte that isn't UTF-8 becomes U+F780..F7FF; such a character in a name is escaped by its own bytes.
    """
    text = name.decode("utf-8", "surrogateescape")
    escaped = re.sub("[\uf780-\uf7ff]", lambda m: m[0].encode().decode("ascii", "surrogateescape"), text)
    return re.sub("[\udc80-\udcff]", lambda m: chr(_ESCAPED + ord(m[0]) - 0xDC00), escaped)


def parse(path: str) -> Parts:
    """A path's components as the file system knows them; ``Invalid`` for what can't be below the root.

    A leading slash is the server's root, as everywhere in the game's own view.
    """
    raw = re.sub("[\uf780-\uf7ff]", lambda m: chr(ord(m[0]) - _ESCAPED + 0xDC00), path)
    try:
        encoded = raw.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise Invalid("The path holds a character that is no text.") from error
    parts = tuple(part for part in encoded.split(b"/") if part not in (b"", b"."))
    if b"\0" in encoded:
        raise Invalid("A path can't hold a NUL character.")
    if b".." in parts:
        raise Invalid("A path can't hold “..”: it must stay below the server's root.", code="outside")
    if len(encoded) > PATH_MAX or any(len(part) > NAME_MAX for part in parts):
        raise Invalid(f"The path is too long: a name has at most {NAME_MAX} bytes, a path {PATH_MAX}.")
    return parts


class _How(ctypes.Structure):
    _fields_ = [("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64)]


_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_BENEATH = 0x08
_RENAME_NOREPLACE = 1
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def open_by_kernel(root: int, parts: Parts, flags: int) -> int:
    """Open with openat2: links are followed as long as they stay below the root."""
    how = _How(flags | os.O_CLOEXEC, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    path = b"/".join(parts) or b"."
    code = errno.EAGAIN
    for _ in range(64):
        fd: int = _libc.syscall(_OPENAT2, root, path, ctypes.byref(how), ctypes.sizeof(how))
        if fd >= 0:
            return fd
        code = ctypes.get_errno()
        # EAGAIN: something was renamed while a link's ".." was resolved, and the kernel couldn't be sure.
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code))


def open_by_walk(root: int, parts: Parts, flags: int) -> int:
    """Open component by component, for kernels without openat2; follows no link at all."""
    fd = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    for index, part in enumerate(parts or (b".",), start=1):
        last = index >= len(parts)
        try:
            inner = os.open(part, (flags if last else os.O_PATH | os.O_DIRECTORY) | os.O_NOFOLLOW, dir_fd=fd)
        finally:
            os.close(fd)
        fd = inner
    return fd


@cache
def default_opener() -> Opener:
    """The kernel's way, or the walk where the kernel or a seccomp filter doesn't offer it."""
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        os.close(open_by_kernel(root, (), os.O_PATH))
    except OSError:
        return open_by_walk
    finally:
        os.close(root)
    return open_by_kernel


_MESSAGES: Final[dict[int, tuple[type[DomainError], str, str]]] = {
    errno.ENOENT: (NotFound, "not_found", "There is no “{path}” in the server's files."),
    errno.ENOTDIR: (Conflict, "not_a_directory", "A part of “{path}” is not a directory."),
    errno.EISDIR: (Conflict, "is_a_directory", "“{path}” is a directory."),
    errno.EEXIST: (Conflict, "exists", "“{path}” exists already: choose another name or delete it first."),
    errno.ENOTEMPTY: (Conflict, "changed", "“{path}” changed meanwhile: stop the server or try again."),
    errno.EXDEV: (Invalid, "outside", "“{path}” leads out of the server's files."),
    errno.ELOOP: (Invalid, "outside", "“{path}” is or passes a symbolic link that isn't followed."),
    errno.EINVAL: (Invalid, "invalid", "“{path}” can't be used so: a directory can't be moved into itself."),
    errno.ENAMETOOLONG: (Invalid, "invalid", "“{path}” is too long."),
    errno.ENXIO: (Invalid, "not_a_file", "“{path}” is not a regular file."),
    errno.EACCES: (Forbidden, "no_permission", "The agent may not touch “{path}”: its permissions forbid it."),
    errno.EPERM: (Forbidden, "no_permission", "The agent may not touch “{path}”: its permissions forbid it."),
    errno.EBUSY: (Conflict, "busy", "“{path}” is in use: stop the server and try again."),
    errno.EAGAIN: (Conflict, "busy", "“{path}” keeps changing: stop the server and try again."),
    errno.ENOSPC: (Unavailable, "disk_full", "The node's disk is full: free some space there."),
    errno.EDQUOT: (Unavailable, "disk_full", "The node's disk quota is used up: free some space there."),
    errno.EFBIG: (TooLarge, "too_large", "“{path}” is larger than the node's file system takes."),
}


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"“{{path}}” can't be used: {error.strerror or error}."
        kind, code, message = _MESSAGES.get(error.errno or 0, (Unavailable, "io_error", reason))
        raise kind(message.format(path=path), code=code) from error


def _entry(name: bytes, status: os.stat_result) -> Entry:
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "other")
    mode = stat.S_IMODE(status.st_mode)
    return Entry(show(name), kind, status.st_size, mode, status.st_mtime_ns, status.st_ino)


class Root:
    """A server's files; use it in ``with``, from one thread."""

    def __init__(self, path: Path, opener: Opener | None = None) -> None:
        self._path = path
        self._open = opener or default_opener()
        self._fd = -1

    def __enter__(self) -> Root:
        with _explained("."):
            self._fd = os.open(self._path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def open(self, path: str, flags: int = os.O_RDONLY) -> int:
        """A descriptor of an existing regular file; the caller closes it. Anything else is ``Invalid``."""
        with _explained(path):
            # A handle first: only to open a FIFO may wait for ever, and a device does whatever it does then.
            handle = self._open(self._fd, parse(path), os.O_PATH)
            try:
                _check_regular(os.fstat(handle).st_mode)
                return os.open(f"/proc/self/fd/{handle}", flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            finally:
                os.close(handle)

    def read(self, path: str, limit: int) -> bytes:
        """The whole of a file of at most ``limit`` bytes; else ``TooLarge``."""
        with os.fdopen(self.open(path), "rb") as file, _explained(path):
            data = file.read(limit + 1)
        if len(data) > limit:
            raise TooLarge(f"“{path}” is larger than {limit:,} bytes.")
        return data

    def stat(self, path: str) -> Entry:
        """What is there; the root's own name is empty."""
        parts = parse(path)
        with _explained(path):
            if not parts:
                return _entry(b"", os.fstat(self._fd))
            with self._parent(parts) as (parent, name):
                return _entry(name, os.stat(name, dir_fd=parent, follow_symlinks=False))

    def list(self, path: str, offset: int = 0, limit: int = LIST_MAX) -> tuple[list[Entry], int]:
        """A directory's entries, directories first, then by name; and how many there are (at most ``LIST_MAX``)."""
        with _explained(path), self._directory(parse(path)) as fd:
            with os.scandir(fd) as found:
                names = [(os.fsencode(one.name), one.is_dir(follow_symlinks=False)) for one in islice(found, LIST_MAX)]
            names.sort(key=lambda one: (not one[1], one[0].lower(), one[0]))
            entries = []
            for name, _ in names[offset : offset + limit]:
                with suppress(FileNotFoundError):
                    entries.append(_entry(name, os.stat(name, dir_fd=fd, follow_symlinks=False)))
        return entries, len(names)

    def mkdir(self, path: str, *, exist_ok: bool = False) -> None:
        """Make a directory and its missing parents; ``Conflict`` when it exists, unless that is ``exist_ok``."""
        parts = parse(path)
        with _explained(path):
            if not parts and not exist_ok:
                raise FileExistsError(errno.EEXIST, "the root exists")
            for depth in range(1, len(parts) + 1):
                with self._parent(parts[:depth]) as (parent, name):
                    self._mkdir_at(parent, name, exist_ok or depth < len(parts))

    def rename(self, source: str, target: str) -> None:
        """Move a file, directory or link; ``Conflict`` when there is something at ``target``."""
        old, new = parse(source), parse(target)
        with _explained(source), self._parent(old) as (old_parent, old_name):
            os.stat(old_name, dir_fd=old_parent, follow_symlinks=False)
            with _explained(target), self._parent(new) as (new_parent, new_name):
                _rename_new(old_parent, old_name, new_parent, new_name)

    def remove(self, path: str) -> None:
        """Delete a file, a link, or a directory with all that is in it."""
        with _explained(path), self._parent(parse(path)) as (parent, name):
            trees.remove(parent, name)

    def writer(self, path: str, token: str = "") -> Writer:
        """Begin to write a file that appears whole or not at all; see ``Writer``."""
        parts = parse(path)
        with _explained(path), self._parent(parts) as (parent, name):
            _check_target(parent, name)
            return Writer(path, os.dup(parent), name, os.fstat(self._fd), token or secrets.token_hex(16))

    def write_atomic(self, path: str, data: bytes) -> None:
        """Put ``data`` in the place of a file's content, or make the file."""
        with self.writer(path) as writer:
            writer.write(data)
            writer.commit()

    def usage(self) -> int:
        """Bytes that all files take on disk, each once; a lower bound while directories are being moved."""
        with _explained("."), self._directory(()) as fd:
            return trees.usage(fd)

    @contextmanager
    def _directory(self, parts: Parts) -> Iterator[int]:
        fd = self._open(self._fd, parts, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def _parent(self, parts: Parts) -> Iterator[tuple[int, bytes]]:
        if not parts:
            raise Invalid("This can't be done to the server's root itself.")
        fd = self._open(self._fd, parts[:-1], os.O_PATH | os.O_DIRECTORY)
        try:
            yield fd, parts[-1]
        finally:
            os.close(fd)

    def _mkdir_at(self, parent: int, name: bytes, exist_ok: bool) -> None:
        try:
            os.mkdir(name, 0o755, dir_fd=parent)
        except FileExistsError:
            if exist_ok:
                return
            raise
        if os.geteuid() == 0:
            owner = os.fstat(self._fd)
            fd = os.open(name, trees.DIRECTORY, dir_fd=parent)
            try:
                os.fchown(fd, owner.st_uid, owner.st_gid)
            finally:
                os.close(fd)


class Writer:
    """A file in the making, beside its place; ``commit`` puts it there, leaving the ``with`` drops it otherwise.

    It keeps the mode and owner of the file it replaces; a new one gets 0644 and the root's owner (games run
    under their own user where the agent is root).
    """

    def __init__(self, path: str, parent: int, name: bytes, root: os.stat_result, token: str) -> None:
        self.path = path
        self.size = 0
        self._parent = parent
        self._name = name
        self._root = root
        self._part: bytes | None = part_name(token).encode()
        try:
            self._fd = os.open(self._part, _NEW_FILE, 0o600, dir_fd=parent)
        except OSError:
            os.close(parent)
            raise

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        """Append."""
        view = memoryview(data)
        with _explained(self.path):
            while view:
                view = view[os.write(self._fd, view) :]
        self.size += len(data)

    def commit(self) -> None:
        """Take the file's place, at once and safe from a power cut."""
        assert self._part is not None
        with _explained(self.path):
            replaced = _check_target(self._parent, self._name)
            if os.geteuid() == 0:
                owner = replaced or self._root
                os.fchown(self._fd, owner.st_uid, owner.st_gid)
            os.fchmod(self._fd, stat.S_IMODE(replaced.st_mode) & 0o777 if replaced else 0o644)
            os.fsync(self._fd)
            os.rename(self._part, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)
            self._part = None

    def close(self) -> None:
        """Let go, dropping what wasn't committed; once."""
        if self._part is not None:
            with suppress(OSError):
                os.unlink(self._part, dir_fd=self._parent)
        os.close(self._fd)
        os.close(self._parent)


def part_name(token: str) -> str:
    """What a file in the making is called, by its token."""
    return f".stellar-{token}.part"


def _check_target(parent: int, name: bytes) -> os.stat_result | None:
    """What a write would replace: a regular file or nothing, else ``OSError``."""
    try:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    _check_regular(status.st_mode)
    return status


def _check_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        codes = {stat.S_IFDIR: errno.EISDIR, stat.S_IFLNK: errno.ELOOP}
        raise OSError(codes.get(stat.S_IFMT(mode), errno.ENXIO), "not a regular file")


def _rename_new(old_parent: int, old: bytes, new_parent: int, new: bytes) -> None:
    renameat2 = getattr(_libc, "renameat2", None)
    if renameat2 is not None:
        if renameat2(old_parent, old, new_parent, new, _RENAME_NOREPLACE) == 0:
            return
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(code, os.strerror(code))
    # A file system or C library that can't promise it: look first, so that only a race can overwrite.
    with suppress(FileNotFoundError):
        os.stat(new, dir_fd=new_parent, follow_symlinks=False)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(old, new, src_dir_fd=old_parent, dst_dir_fd=new_parent)
