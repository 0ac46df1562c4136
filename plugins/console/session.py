"""One console socket: who it belongs to, what comes in, and how long it may stay."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from stellar.auth.permissions import CHANGED
from stellar.auth.sessions import ENDED
from stellar.bus import Message, names
from stellar.bus.bus import current
from stellar.bus.events import GlobalEvent
from stellar.errors import Conflict, DomainError, Forbidden, Invalid, TooLarge, Unauthenticated, Unavailable
from stellar.http.request import Request
from stellar.http.websocket import Socket
from stellar.plugins.servers.calls import ConsoleChunk, ConsoleInput, ConsoleResize, Result

from . import access, tokens
from .access import Access
from .frames import MAX_INPUT, Auth, Error, Incoming, Input, Resize, Resume, TokenExpiring
from .history import read_chunk
from .pace import Pace
from .viewer import Viewer
from .watcher import watching

AUTH_SECONDS = 10.0
CHECK_SECONDS = 15.0
EXPIRING_SECONDS = 60.0
CALL_SECONDS = 5.0
MAX_BAD_FRAMES = 20


async def serve(req: Request, socket: Socket, server_ref: str, token: str) -> None:
    """Serve a console socket until either side ends it; raises the ``DomainError`` for which it has to end."""
    if token:
        admitted = await access.admit(req.config, token, server_ref, req.address, req.request_id)
        await socket.accept()
    else:
        await socket.accept()
        admitted = await _authenticated(req, socket, server_ref)
    server = admitted.server
    async with watching(server.id, server.node_id, server.state) as (inbox, watcher):
        session = ConsoleSession(req, socket, admitted)
        viewer = Viewer(inbox, session.read, socket.send, watcher.status)
        async with current().hub.listen(names.EVENTS_GLOBAL, session.heard):
            await socket.run(session.receive(viewer), viewer.run(), session.guard())


async def _authenticated(req: Request, socket: Socket, server_ref: str) -> Access:
    try:
        async with asyncio.timeout(AUTH_SECONDS):
            first = await socket.receive(Auth)
    except TimeoutError:
        raise Unauthenticated("Send an auth frame with a console token first.", code="no_token") from None
    return await access.admit(req.config, first.token, server_ref, req.address, req.request_id)


class ConsoleSession:
    """The rights of one socket and what its client asks for."""

    def __init__(self, req: Request, socket: Socket, admitted: Access) -> None:
        self._req = req
        self._socket = socket
        self._access = admitted
        self._pace = Pace()
        self._bad_frames = 0
        self._check_now = asyncio.Event()

    async def read(self, after: int | None, limit: int) -> ConsoleChunk:
        """Read the server's log."""
        return await read_chunk(self._access.server, after, limit)

    def heard(self, message: Message) -> None:
        """A global event: when it is about this server, or this user's rights or sessions, look at once."""
        try:
            event = message.decode(GlobalEvent)
        except msgspec.MsgspecError:
            return
        ended = event.kind == ENDED and event.id == self._access.claims.user_id
        changed = event.kind == CHANGED and event.id in ("", self._access.claims.user_id)
        if ended or changed or event.id == self._access.server.id:
            self._check_now.set()

    async def guard(self) -> None:
        """Raise as soon as the socket may not stay open: token expired, session ended, server gone.

        While Redis or the database is away nobody can tell: it stays.
        """
        warned = 0.0
        while True:
            expires = self._access.claims.expires
            if warned != expires and expires - time.time() <= EXPIRING_SECONDS:
                warned = expires
                await self._socket.send(TokenExpiring())
            until = expires if warned == expires else expires - EXPIRING_SECONDS
            try:
                async with asyncio.timeout(max(0.0, min(CHECK_SECONDS, until - time.time()))):
                    await self._check_now.wait()
            except TimeoutError:
                pass
            self._check_now.clear()
            if self._access.claims.expires <= time.time():
                raise tokens.expired()
            await self._check()

    async def _check(self) -> None:
        before = self._access
        try:
            now = await access.check(before.claims, before.server.id, self._req.address, self._req.request_id)
        except Unavailable:
            return
        if now.server.node_id != before.server.node_id:
            raise Conflict("The server has moved to another node; connect again.", code="moved")
        if self._access is before:
            self._access = now

    async def receive(self, viewer: Viewer) -> None:
        """Do what the client sends, in its order."""
        while True:
            try:
                frame = await self._socket.receive(Incoming)
                await self._do(frame, viewer)
            except (Invalid, TooLarge) as error:
                self._bad_frames += 1
                if self._bad_frames > MAX_BAD_FRAMES:
                    raise
                await self._socket.send(Error(error.code, error.message))
            except DomainError as error:
                await self._socket.send(Error(error.code, error.message))

    async def _do(self, frame: Input | Resume | Auth | Resize, viewer: Viewer) -> None:
        if isinstance(frame, Resume):
            viewer.resume(frame.after)
        elif isinstance(frame, Auth):
            await self._renew(frame.token)
        elif isinstance(frame, Resize):
            await self._call("console.resize", ConsoleResize(self._access.server.id, frame.cols, frame.rows))
        else:
            await self._type(frame.data)

    async def _type(self, text: str) -> None:
        data = text.encode()
        if len(data) > MAX_INPUT:
            raise TooLarge(f"One input may have at most {MAX_INPUT} bytes.")
        if data:
            await self._pace.wait(len(data))
            await self._call("console.input", ConsoleInput(self._access.server.id, data))

    async def _call(self, method: str, params: Any) -> None:
        if not self._access.write:
            raise Forbidden("You may only read this console.")
        node_id = self._access.server.node_id
        await current().call(node_id, method, params, returns=Result, timeout=CALL_SECONDS)

    async def _renew(self, token: str) -> None:
        server_id = self._access.server.id
        renewed = await access.admit(self._req.config, token, server_id, self._req.address, self._req.request_id)
        if renewed.claims.user_id != self._access.claims.user_id:
            raise Unauthenticated("The console token is another user's.", code="bad_token")
        self._access = renewed
        self._check_now.set()
