"""Who may use a server's console: checked when a token is made, when it is used, and while a socket is open."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import msgspec

from stellar.auth import authentication, keys, sessions
from stellar.auth.permissions import Actor
from stellar.config import Config
from stellar.db import call
from stellar.errors import Unauthenticated
from stellar.http.request import Request
from stellar.plugins.servers.models import Server
from stellar.plugins.servers.service import get_server

from . import tokens
from .schemas import ConsoleToken
from .settings import ConsoleSettings
from .tokens import Claims


class Access(msgspec.Struct, frozen=True):
    """What a console token has turned out to allow."""

    claims: Claims
    actor: Actor
    server: Server
    write: bool


async def issue(req: Request, server_id: str) -> ConsoleToken:
    """A token for the caller and a server, with the address to connect to."""
    actor = req.actor
    if actor.key_id is None:
        req.require_session()
    server, write = await call(_rights, actor, server_id)
    expires = time.time() + req.config.section(ConsoleSettings).token_minutes * 60
    claims = Claims(server.id, actor.user_id or "", actor.session_id or "", write, expires, actor.key_id or "")
    token = tokens.sign(req.config.secret(), claims)
    url = f"{_origin(req)}/api/v1/servers/{server.id}/console/socket?{urlencode({'token': token})}"
    return ConsoleToken(token, url, datetime.fromtimestamp(expires, UTC))


async def admit(config: Config, token: str, server_ref: str, address: str, request_id: str) -> Access:
    """What ``token`` allows on this server now.

    ``Unauthenticated`` when it, its session or its key isn't valid any more, ``NotFound`` when it is for another
    server or its user may not see that one any more.
    """
    claims = tokens.verify(config.secret(), token, time.time())
    return await check(claims, server_ref, address, request_id)


async def check(claims: Claims, server_ref: str, address: str, request_id: str) -> Access:
    """What these claims allow now; raises like ``admit``."""
    return await call(_check, claims, server_ref, address, request_id)


def _check(claims: Claims, server_ref: str, address: str, request_id: str) -> Access:
    actor = _holder(claims, address, request_id)
    server, write = _rights(actor, server_ref)
    if server.id != claims.server_id:
        raise Unauthenticated("The console token is for another server; ask for a new one.", code="bad_token")
    return Access(claims, actor, server, write and claims.write)


def _holder(claims: Claims, address: str, request_id: str) -> Actor:
    if claims.key_id:
        return keys.actor_again(claims.key_id, address, request_id)
    session = sessions.find(claims.user_id, claims.session_id)
    if session is None:
        raise Unauthenticated("Your session has ended; sign in again.", code="session_ended")
    return authentication.actor_of(session, address, request_id)


def _rights(actor: Actor, server_ref: str) -> tuple[Server, bool]:
    server = get_server(actor, server_ref, "console.read")
    return server, actor.allowed("console.write", server)


def _origin(req: Request) -> str:
    public = urlsplit(req.config.web.public_url)
    secure = public.scheme == "https" if public.netloc else req.is_https
    return f"{'wss' if secure else 'ws'}://{public.netloc or req.netloc}{public.path.rstrip('/')}"
