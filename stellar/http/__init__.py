"""HTTP: declared endpoints, problems, WebSockets. Plugins import what they need from here."""

from ..bus.ratelimit import Limit
from .answers import Answer, Cookie, Html, Raw, Redirect, Stream
from .declaration import SIGNED_IN
from .endpoint import endpoint
from .request import Request
from .websocket import Socket, websocket

__all__ = [
    "SIGNED_IN",
    "Answer",
    "Cookie",
    "Html",
    "Limit",
    "Raw",
    "Redirect",
    "Request",
    "Socket",
    "Stream",
    "endpoint",
    "websocket",
]
