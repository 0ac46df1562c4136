"""A plugin with one endpoint of every kind, for the tests of HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from web_parts import make_plugin

from stellar.errors import Conflict, Invalid, NotFound
from stellar.extend import hookimpl
from stellar.extend.registry import PageRegistrar, PermissionRegistrar, RouteRegistrar
from stellar.http import Html, Limit, Request, Socket, Stream, endpoint, websocket


class Part(msgspec.Struct, forbid_unknown_fields=True):
    size: int


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(max_length=20)]
    count: int = 0
    parts: list[Part] = []
    extra: dict[str, Any] = {}


class Made(msgspec.Struct):
    id: str
    name: str
    count: int


class Query(msgspec.Struct, forbid_unknown_fields=True):
    page: int = 1
    tag: list[str] = []
    deep: bool = False
    colour: Literal["red", "blue"] | None = None
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class Frame(msgspec.Struct, forbid_unknown_fields=True):
    text: str


calls: list[str] = []
"""What responders have seen: proof that nothing ran."""

streams: list[str] = []


class Things:
    @endpoint(permission=None, query=Query, returns=Query)
    async def on_get(self, req: Request, query: Query) -> Query:
        """Say what was asked."""
        return query

    @endpoint(permission=None, body=Wanted, returns=Made, status=201, max_body=4096)
    async def on_post(self, req: Request, body: Wanted) -> Made:
        """Make a thing."""
        calls.append(body.name)
        return Made("made-1", body.name, body.count)


class Own:
    @endpoint(permission="signed_in", body=Wanted, returns=Made, audit="thing.change")
    async def on_put(self, req: Request, thing_id: str, body: Wanted) -> Made:
        """Change a thing."""
        calls.append(thing_id)
        return Made(thing_id, body.name, body.count)

    @endpoint(permission="things.remove", audit="thing.remove")
    async def on_delete(self, req: Request, thing_id: str) -> None:
        """Remove a thing."""
        calls.append(thing_id)

    @endpoint(permission="things.read", returns=Made)
    async def on_get(self, req: Request, thing_id: str) -> Made:
        """Read a thing, which belongs to whoever is in its id."""
        from web_parts import Thing

        req.actor.require("things.read", Thing(owner_id=thing_id))
        return Made(thing_id, "mine", 1)


class Limited:
    @endpoint(permission=None, limit=Limit(3, 60))
    async def on_get(self, req: Request) -> None:
        """Three times a minute."""


class Broken:
    @endpoint(permission=None, returns=Made)
    async def on_get(self, req: Request, how: str) -> Made:
        """Fail."""
        errors = {
            "conflict": Conflict("It is busy.", code="thing_busy"),
            "fields": Invalid("Look at the fields.", fields={"name": "It is too ugly."}),
            "missing": NotFound("There is no such thing."),
        }
        if how in errors:
            raise errors[how]
        raise RuntimeError("a secret of the inside")


class Flow:
    @endpoint(permission=None, returns=Stream)
    async def on_get(self, req: Request) -> Stream:
        """Never end."""
        return Stream(_forever(), filename='a "b".bin')


class Few:
    @endpoint(permission=None, returns=Stream)
    async def on_get(self, req: Request) -> Stream:
        """Three chunks."""
        return Stream(_few(), length=9)


class Echo:
    @websocket(permission="signed_in", max_frame=1000)
    async def on_websocket(self, req: Request, socket: Socket) -> None:
        """Say it back."""
        await socket.accept()

        async def receive() -> None:
            while True:
                frame = await socket.receive(Frame)
                if frame.text == "bye":
                    return
                if frame.text == "fail":
                    raise RuntimeError("a secret of the inside")
                await socket.send(frame)

        async def tick() -> None:
            calls.append("ticking")
            try:
                await asyncio.Event().wait()
            finally:
                calls.append("stopped")

        await socket.run(receive(), tick())


class Page:
    @endpoint(permission="signed_in", returns=Html)
    async def on_get(self, req: Request) -> Html:
        """A page."""
        return Html("<!doctype html><title>Probe</title>")


class BrokenPage:
    @endpoint(permission=None, returns=Html)
    async def on_get(self, req: Request) -> Html:
        """A page that fails."""
        raise RuntimeError("a secret of the inside")


@hookimpl
def register_permissions(permissions: PermissionRegistrar) -> None:
    permissions.add("things.remove", "Remove things")
    permissions.add("things.read", "Read a thing", scope="server")


@hookimpl
def register_routes(routes: RouteRegistrar) -> None:
    routes.add("/things", Things())
    routes.add("/things/{thing_id}", Own())
    routes.add("/limited", Limited())
    routes.add("/broken/{how}", Broken())
    routes.add("/flow", Flow())
    routes.add("/few", Few())
    routes.add("/echo", Echo())


@hookimpl
def register_pages(pages: PageRegistrar) -> None:
    pages.add("/probe", Page())
    pages.add("/probe/broken", BrokenPage())


probe = make_plugin(
    "probe",
    register_permissions=register_permissions,
    register_routes=register_routes,
    register_pages=register_pages,
)


async def _forever() -> AsyncIterator[bytes]:
    try:
        while True:
            streams.append("sent")
            yield b"x" * 65536
            await asyncio.sleep(0)
    finally:
        streams.append("closed")


async def _few() -> AsyncIterator[bytes]:
    for chunk in (b"one", b"two", b"six"):
        yield chunk
