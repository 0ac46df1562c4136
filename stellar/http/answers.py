"""What a responder may return besides a struct, a list or None."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import falcon.asgi
import msgspec

from .request import Receive, Request

encode = msgspec.json.Encoder().encode

JSON = "application/json"
EPOCH = datetime.fromtimestamp(0, UTC)


class Answer:
    """A value as JSON with a status, headers or cookies of its own; the base of the other answers."""

    def __init__(
        self,
        value: Any = None,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        cookies: tuple[Cookie, ...] = (),
    ) -> None:
        self.value = value
        self.status = status
        self.headers = headers or {}
        self.cookies = cookies

    def apply(self, req: Request, resp: falcon.asgi.Response, status: int) -> None:
        """Fill in the response; ``status`` is the endpoint's own."""
        resp.status = self.status or status
        for name, value in self.headers.items():
            resp.set_header(name, value)
        for cookie in self.cookies:
            cookie.apply(req, resp)
        self.fill(req, resp)

    def fill(self, req: Request, resp: falcon.asgi.Response) -> None:
        """Put the body into the response."""
        if self.value is None:
            resp.status = self.status or 204
        else:
            fill_json(resp, self.value)


class Raw(Answer):
    """Bytes or text of any type."""

    def __init__(self, data: bytes | str, content_type: str, **options: Any) -> None:
        super().__init__(**options)
        self.data = data.encode() if isinstance(data, str) else data
        self.content_type = content_type

    def fill(self, req: Request, resp: falcon.asgi.Response) -> None:
        """See ``Answer``."""
        resp.content_type = self.content_type
        resp.data = self.data


class Html(Raw):
    """A page; caches may keep it only if they ask every time."""

    def __init__(self, text: str, **options: Any) -> None:
        super().__init__(text, "text/html; charset=utf-8", **options)
        self.headers = {"Cache-Control": "private, no-cache", **self.headers}


class Redirect(Answer):
    """Go elsewhere, with GET."""

    def __init__(self, location: str, **options: Any) -> None:
        super().__init__(**{"status": 303, **options})
        self.location = location

    def fill(self, req: Request, resp: falcon.asgi.Response) -> None:
        """See ``Answer``."""
        resp.set_header("Location", self.location)


class Stream(Answer):
    """A body of any size, sent as it comes; ``chunks`` is closed when it ends or the client goes away.

    ``filename`` makes browsers save it; ``length`` is in bytes, and None when it isn't known.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        content_type: str = "application/octet-stream",
        *,
        length: int | None = None,
        filename: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.chunks = chunks
        self.content_type = content_type
        self.length = length
        self.filename = filename

    def fill(self, req: Request, resp: falcon.asgi.Response) -> None:
        """See ``Answer``."""
        resp.content_type = self.content_type
        if self.filename is not None:
            resp.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(self.filename, safe='')}")
        body = _UntilGone(self.chunks, req.receive)
        if self.length is None:
            resp.stream = body
        else:
            resp.set_stream(body, self.length)


class Cookie:
    """A cookie for the panel alone: HttpOnly, SameSite=Lax, Secure exactly when the request came by https.

    ``max_age`` is in seconds; 0 removes it.
    """

    def __init__(self, name: str, value: str, max_age: int) -> None:
        self.name = name
        self.value = value
        self.max_age = max_age

    def apply(self, req: Request, resp: falcon.asgi.Response) -> None:
        """Add it to the response."""
        resp.set_cookie(
            self.name,
            self.value,
            max_age=self.max_age,
            expires=None if self.max_age else EPOCH,  # Falcon leaves out a max_age of 0
            path="/",
            secure=req.is_https,
            http_only=True,
            same_site="Lax",
        )


class _UntilGone(AsyncIterator[bytes]):
    """Iterates over chunks until they end or the client goes away; Falcon closes it in both cases."""

    def __init__(self, chunks: AsyncIterator[bytes], receive: Receive) -> None:
        self._chunks = chunks
        self._receive = receive
        self._gone: asyncio.Task[None] | None = None
        self._following: asyncio.Task[bytes | None] | None = None

    async def __anext__(self) -> bytes:
        if self._gone is None:
            self._gone = asyncio.create_task(self._watch())
        self._following = asyncio.create_task(_following(self._chunks))
        await asyncio.wait((self._following, self._gone), return_when=asyncio.FIRST_COMPLETED)
        if self._gone.done() or (chunk := self._following.result()) is None:
            raise StopAsyncIteration
        return chunk

    async def close(self) -> None:
        """Release what is behind the chunks."""
        tasks = [task for task in (self._gone, self._following) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if (close := getattr(self._chunks, "aclose", None)) is not None:
            await close()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def _following(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)


def fill_json(resp: falcon.asgi.Response, value: Any) -> None:
    """Put a value into the response as JSON that nobody caches."""
    resp.content_type = JSON
    resp.set_header("Cache-Control", "no-store")
    resp.data = encode(value)


def answer(req: Request, resp: falcon.asgi.Response, value: Any, status: int) -> None:
    """Turn what a responder returned into the response."""
    if isinstance(value, Answer):
        value.apply(req, resp, status)
    elif value is None:
        resp.status = 204
    else:
        resp.status = status
        fill_json(resp, value)
