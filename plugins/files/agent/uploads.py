"""Files on their way in: chunks go to a temporary file beside the target, which a commit puts in its place."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

import msgspec

from stellar.errors import Changed, Conflict, DomainError, Forbidden, Invalid, NotFound, Unavailable
from stellar.plugins.servers.agent.beneath import Entry, Root, Writer, part_name

from .entries import version_of

T = TypeVar("T")

log = logging.getLogger(__name__)

IDLE_SECONDS: Final = 600.0
"""After so long without a chunk, an upload is dropped."""
MAX_OPEN: Final = 64
MAX_OPEN_PER_SERVER: Final = 16

Locate = Callable[[str], Path]
"""A server's data directory by its id; raises ``NotFound``."""


class Note(msgspec.Struct):
    """What is kept on disk of an open upload, so that an agent that died can tidy up after itself."""

    server_id: str
    part: str


@dataclass(frozen=True)
class Committed:
    """A file that is in place; ``grown``: by how many bytes that makes the server larger."""

    server_id: str
    entry: Entry
    grown: int


@dataclass(frozen=True, eq=False)
class _Wanted:
    server_id: str
    root: Path
    path: str
    create: bool
    announced: int
    room: int | None
    """Bytes that fit below the server's disk limit; None: no limit."""

    @property
    def claim(self) -> int:
        """Bytes by which the server is going to grow, as far as is known."""
        return self.announced


@dataclass(eq=False)
class _Upload:
    wanted: _Wanted
    writer: Writer
    replaces: int
    """Bytes of the file that it takes the place of."""
    touched: float
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def server_id(self) -> str:
        """Whose it is."""
        return self.wanted.server_id

    @property
    def claim(self) -> int:
        """See ``_Wanted.claim``."""
        return max(self.wanted.announced, self.writer.size) - self.replaces

    def check_room(self, size: int) -> None:
        """``Conflict`` when the server can't take a file of ``size`` bytes here."""
        _check_room(size - self.replaces, self.wanted.room)


class Uploads:
    """All uploads of one agent. ``directory`` is for its notes; use it from one event loop."""

    def __init__(self, directory: Path, locate: Locate) -> None:
        self._directory = directory
        self._locate = locate
        self._open: dict[str, _Upload] = {}
        self._starting: list[_Wanted] = []
        self._committing = asyncio.Lock()
        """Of two that have seen the same version only one can replace it."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def begin(self, server_id: str, path: str, *, create: bool, size: int | None, room: int | None) -> str:
        """Start one and answer its id. ``room``: by how many bytes the server may grow, None for any."""
        begun: list[_Upload | _Wanted] = [*self._open.values(), *self._starting]
        here = [upload for upload in begun if upload.server_id == server_id]
        if len(begun) >= MAX_OPEN or len(here) >= MAX_OPEN_PER_SERVER:
            raise Unavailable("Too many uploads are under way on this node; wait for one to end.", code="busy")
        if room is not None:
            room -= sum(upload.claim for upload in here)
        wanted = _Wanted(server_id, self._locate(server_id), path, create, size or 0, room)
        self._starting.append(wanted)
        return await asyncio.shield(asyncio.create_task(self._begin(wanted)))

    async def append(self, token: str, offset: int, data: bytes) -> None:
        """Add the chunk that belongs at ``offset``, which must be the end of what has arrived."""

        def write(upload: _Upload) -> None:
            if offset != upload.writer.size:
                raise Conflict(f"The upload is at byte {upload.writer.size}, not {offset}: begin it again.")
            upload.check_room(offset + len(data))
            upload.writer.write(data)
            upload.digest.update(data)

        await self._work(token, write)

    async def commit(
        self, token: str, size: int, sha256: str | None, versions: Collection[str] | None = None
    ) -> Committed:
        """Put the file in place; ``Changed`` when what is there is none of ``versions``."""

        def finish(upload: _Upload) -> Committed:
            if size != upload.writer.size:
                raise Invalid(f"{size} bytes were announced and {upload.writer.size} have arrived: send it again.")
            if sha256 is not None and sha256 != upload.digest.hexdigest():
                raise Invalid("The file was damaged on its way (its SHA-256 differs): send it again.")
            if versions is not None:
                _check_version(upload.wanted, versions)
            upload.writer.commit()
            with Root(upload.wanted.root) as root:
                return Committed(upload.server_id, root.stat(upload.wanted.path), size - upload.replaces)

        try:
            async with self._committing:
                return await self._work(token, finish)
        finally:
            await self.abort(token)

    async def abort(self, token: str) -> None:
        """Drop one and all that has arrived of it; nothing to do when it is gone."""
        with suppress(NotFound):
            await self._work(token, lambda upload: upload.writer.close(), last=True)

    async def expire(self, now: float | None = None) -> None:
        """Drop those that nobody has touched for long; ``now`` as of ``time.monotonic``."""
        limit = (time.monotonic() if now is None else now) - IDLE_SECONDS
        for token in [token for token, upload in self._open.items() if upload.touched < limit]:
            log.info("an upload to %s was abandoned", self._open[token].wanted.path)
            await self.abort(token)

    async def close(self) -> None:
        """Drop all."""
        for token in list(self._open):
            await self.abort(token)

    def recover(self) -> None:
        """Delete what an agent that was killed has left behind; for the start."""
        for note in self._directory.iterdir():
            try:
                left = msgspec.json.decode(note.read_bytes(), type=Note)
                with Root(self._locate(left.server_id)) as root:
                    root.remove(left.part)
            except (DomainError, msgspec.DecodeError) as error:
                log.debug("nothing to delete of the upload %s: %s", note.name, error)
            note.unlink()

    async def _begin(self, wanted: _Wanted) -> str:
        token = secrets.token_hex(16)
        try:
            self._open[token] = await asyncio.to_thread(self._start, wanted, token)
        finally:
            self._starting.remove(wanted)
        return token

    def _start(self, wanted: _Wanted, token: str) -> _Upload:
        parent = PurePosixPath(wanted.path).parent
        with Root(wanted.root) as files:
            replaces = _size(files, wanted)
            _check_room(wanted.announced - replaces, wanted.room)
            files.mkdir(str(parent), exist_ok=True)
            self._note(token).write_bytes(msgspec.json.encode(Note(wanted.server_id, str(parent / part_name(token)))))
            try:
                writer = files.writer(wanted.path, token)
            except DomainError:
                self._note(token).unlink()
                raise
        return _Upload(wanted, writer, replaces, time.monotonic())

    async def _work(self, token: str, work: Callable[[_Upload], T], *, last: bool = False) -> T:
        """Do something with an upload in a thread, one at a time; to the end, even when the caller goes away."""

        async def locked() -> T:
            upload = self._get(token)
            async with upload.lock:
                self._get(token)
                upload.touched = time.monotonic()
                try:
                    return await asyncio.to_thread(work, upload)
                finally:
                    if last:
                        del self._open[token]
                        self._note(token).unlink(missing_ok=True)

        return await asyncio.shield(asyncio.create_task(locked()))

    def _get(self, token: str) -> _Upload:
        try:
            return self._open[token]
        except KeyError:
            raise NotFound("There is no such upload; it may have been idle too long: begin it again.") from None

    def _note(self, token: str) -> Path:
        return self._directory / token


def _size(files: Root, wanted: _Wanted) -> int:
    """Bytes of what would be replaced."""
    try:
        return files.stat(wanted.path).size
    except NotFound:
        if wanted.create:
            return 0
        raise Forbidden("Your account may change this server's files, but not make new ones.") from None


def _check_version(wanted: _Wanted, versions: Collection[str]) -> None:
    try:
        with Root(wanted.root) as files:
            found = files.stat(wanted.path)
    except NotFound:
        raise Changed("The file is not there any more; save it under a new name or load the list again.") from None
    if "*" not in versions and version_of(found.modified, found.size, found.inode) not in versions:
        raise Changed("The file was changed meanwhile; load it again, or save it without the check.")


def _check_room(growth: int, room: int | None) -> None:
    if room is not None and growth > room:
        message = "The server's disk limit is reached: delete some of its files, or ask for a higher limit."
        raise Conflict(message, code="disk_limit")
