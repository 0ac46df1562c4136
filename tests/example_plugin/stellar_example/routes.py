"""The API."""

import msgspec

from stellar import settings
from stellar.db import call
from stellar.http import endpoint

from . import service


class Greet(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to greet."""

    name: str


class Greeted(msgspec.Struct):
    """What was said."""

    text: str


class Greetings:
    """``/x/example/greetings``"""

    @endpoint(permission="example.greet", returns=list[str])
    async def on_get(self, req):
        """List everybody we have greeted."""
        return await call(service.names)

    @endpoint(permission="example.greet", body=Greet, returns=Greeted, status=201)
    async def on_post(self, req, body):
        """Greet somebody."""
        greeting = await call(service.greet, req.actor, body.name)
        shout = await call(settings.get, "example.shout")
        text = f"Hello, {greeting.name}!"
        return Greeted(text.upper() if shout else text)
