"""The yardstick of ``api.py``: the same answers from the same rows, with nothing but Falcon, Redis, peewee and orjson.

Its SQL is compiled once, its rows are plain tuples, and it checks nothing but the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import falcon.asgi
import msgspec
import orjson
import peewee

from stellar.auth.models import User
from stellar.auth.sessions import token_hash
from stellar.bus import connections, names
from stellar.db import connect, database, is_postgres
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.blueprints.structs import Blueprint as Document
from stellar.plugins.nodes.models import Allocation, Node
from stellar.plugins.servers.models import Install, Member, OpenPrompt, Server

COOKIE = "stellar_session"
DAYS = 30
PAGE = 200
THREADS = {"sqlite": 1, "postgres": 2}
"""What a bare stack is fastest with."""

Row = Sequence[Any]
Request = falcon.asgi.Request
Response = falcon.asgi.Response

ACCOUNT = (User.id, User.email, User.name, User.role, User.theme, User.locale, User.created_at, User.time_zone)
SERVER = (
    *(Server.id, Server.short_id, Server.name, Server.description, Server.state, Server.suspended),
    *(Node.id, Node.name, Blueprint.id, Blueprint.name, Blueprint.title, User.id, User.name),
    *(Server.memory_mb, Server.cpu_percent, Server.disk_mb, Server.created_at, Node.address),
    *(Server.swap_mb, Server.cpu_set, Server.io_weight, Server.pids, Server.oom_kill),
)
OWN = (Server.variables, Blueprint.document, Server.runtime, Server.mounts, Server.autostart, Server.disk_level)
PROMPT = (OpenPrompt.name, OpenPrompt.at, OpenPrompt.line)
PORT = (Allocation.server_id, Allocation.ip, Allocation.port, Allocation.protocol, Allocation.name)
INSTALL = (Install.ok, Install.exit_code, Install.log, Install.started_at, Install.finished_at)


class Sql:
    """Every statement, compiled for the database at hand."""

    def __init__(self) -> None:
        own = Server.select(Server.id).where(Server.owner == "")
        shared = Member.select(Member.server).where(Member.user == "")
        newest = _joined(*SERVER).order_by(Server.created_at.desc(), Server.id.desc()).limit(PAGE + 1)
        self.server = _sql(_joined(*SERVER, *OWN).where(Server.id == ""))
        self.prompts = _sql(OpenPrompt.select(*PROMPT).where(OpenPrompt.server == "").order_by(OpenPrompt.at))
        self.page = _sql(newest)
        self.member = _sql(newest.where(Server.id.in_(own | shared)))
        self.state = _sql(newest.where(Server.state == ""))
        self.port = _sql(Allocation.select(*PORT).where(Allocation.server_id == ""))
        self.ports = _sql(Allocation.select(*PORT).where(Allocation.server_id.in_([""] * PAGE)))
        self.install = _sql(Install.select(*INSTALL).where(Install.server == ""))
        self.me = _sql(User.select(*ACCOUNT, User.email_verified_at, User.pending_email).where(User.id == ""))
        self.users = _sql(User.select(*ACCOUNT, User.pending_email).order_by(User.email).limit(PAGE))
        self.owned = _sql(Server.select(Server.owner, peewee.fn.COUNT(Server.id)).group_by(Server.owner))


def _joined(*fields: Any) -> Any:
    query = Server.select(*fields).join_from(Server, Node)
    return query.join_from(Server, Blueprint).join_from(Server, User)


def _sql(query: Any) -> str:
    return str(query.sql()[0])


def rows(sql: str, *parameters: Any) -> list[Row]:
    """What a statement answers."""
    return list(database.execute_sql(sql, parameters).fetchall())


class Bare:
    """All of the handlers."""

    def __init__(self, redis_url: str) -> None:
        self._redis = connections.async_client(redis_url)
        self._threads = ThreadPoolExecutor(THREADS["postgres" if is_postgres() else "sqlite"])
        self._sql = Sql()

    async def _session(self, req: Request) -> dict[str, Any]:
        stored = await self._redis.get(names.session(token_hash(req.cookies[COOKIE])))
        if stored is None:
            raise falcon.HTTPUnauthorized
        found: dict[str, Any] = orjson.loads(stored)
        return found

    async def _answer(self, resp: Response, work: Any, *arguments: Any) -> None:
        resp.data = orjson.dumps(await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments))

    async def on_get_session(self, req: Request, resp: Response) -> None:
        """``/auth/session``"""
        found = await self._session(req)
        kept = ("email", "name", "role", "theme", "locale", "time_zone")
        user = {"id": found["user_id"], "suspended": False, "created_at": found["user_created_at"]}
        user.update({name: found[name] for name in kept})
        ends = datetime.now(UTC) + timedelta(days=DAYS)
        answer = {"user": user, "csrf_token": found["csrf_token"], "expires_at": ends, "impersonator": None}
        resp.data = orjson.dumps(answer)

    async def on_get_me(self, req: Request, resp: Response) -> None:
        """``/users/me``"""
        found = await self._session(req)
        await self._answer(resp, self._me, found["user_id"])

    async def on_get_users(self, req: Request, resp: Response) -> None:
        """``/admin/users``"""
        await self._session(req)
        await self._answer(resp, self._users)

    async def on_get_server(self, req: Request, resp: Response, server_id: str) -> None:
        """``/servers/{server_id}``"""
        await self._session(req)
        await self._answer(resp, self._server, server_id)

    async def on_get_page(self, req: Request, resp: Response) -> None:
        """``/servers``, all of them, of a state, or those that a member may see."""
        found = await self._session(req)
        if state := req.get_param("state"):
            await self._answer(resp, self._page, self._sql.state, state)
        elif found["role"] != "admin":
            await self._answer(resp, self._page, self._sql.member, found["user_id"], found["user_id"])
        else:
            await self._answer(resp, self._page, self._sql.page)

    def _me(self, user_id: str) -> Any:
        (row,) = rows(self._sql.me, user_id)
        return {**_account(row), "email_verified": row[8] is not None, "pending_email": row[9]}

    def _users(self) -> Any:
        counts = dict(rows(self._sql.owned))
        found = rows(self._sql.users, PAGE)
        users = [{**_account(row), "servers": counts.get(row[0], 0), "pending_email": row[8]} for row in found]
        return {"users": users, "total": len(found)}

    def _server(self, server_id: str) -> Any:
        (row,) = rows(self._sql.server, server_id)
        ports = rows(self._sql.port, server_id)
        (install,) = rows(self._sql.install, server_id)
        values = orjson.loads(row[23])
        variables = [{**one, "value": values.get(one["env"], one["value"])} for one in _variables(row[24])]
        return {
            **_view(row, ports),
            "install": _install(install),
            "variables": variables,
            "runtime": row[25],
            "image": None,
            "mounts": orjson.loads(row[26]),
            "autostart": bool(row[27]),
            "disk_warning": None if row[28] == "ok" else row[28],
            "prompts": rows(self._sql.prompts, server_id),
        }

    def _page(self, sql: str, *parameters: str) -> Any:
        found = rows(sql, *parameters, PAGE + 1)
        page = found[:PAGE]
        ids = [row[0] for row in page]
        ports: dict[str, list[Row]] = {}
        for port in rows(self._sql.ports, *ids):
            ports.setdefault(port[0], []).append(port)
        more = found[PAGE - 1][0] if len(found) > PAGE else None
        return {"items": [_view(row, ports.get(row[0], [])) for row in page], "next": more}


def _account(row: Row) -> dict[str, Any]:
    names = ("id", "email", "name", "role", "theme", "locale", "created_at", "time_zone")
    return {**dict(zip(names, row, strict=False)), "suspended": False}


def _view(row: Row, ports: Sequence[Row]) -> dict[str, Any]:
    allocations = [
        {"address": row[17], "ip": port[1], "port": port[2], "protocol": port[3], "name": port[4]} for port in ports
    ]
    return {
        "id": row[0],
        "short_id": row[1],
        "name": row[2],
        "description": row[3],
        "state": row[4],
        "suspended": bool(row[5]),
        "node": {"id": row[6], "name": row[7]},
        "blueprint": {"id": row[8], "name": row[9], "title": row[10]},
        "owner": {"id": row[11], "name": row[12]},
        "limits": {
            "memory_mb": row[13],
            "cpu_percent": row[14],
            "disk_mb": row[15],
            "swap_mb": row[18],
            "cpu_set": row[19],
            "io_weight": row[20],
            "pids": row[21],
            "oom_kill": bool(row[22]),
        },
        "allocation": allocations[0] if allocations else None,
        "allocations": allocations,
        "created_at": row[16],
    }


def _install(row: Row) -> dict[str, Any]:
    times = (datetime.fromtimestamp(row[3], UTC), datetime.fromtimestamp(row[4], UTC))
    shown = {"ok": bool(row[0]), "exit_code": row[1], "log": row[2]}
    return {**shown, "started_at": times[0], "finished_at": times[1]}


@lru_cache
def _variables(document: str) -> list[dict[str, Any]]:
    return [
        {
            "env": one.env,
            "label": one.label,
            "description": one.description,
            "value": one.default,
            "rules": one.rules,
            "user_editable": one.user_editable,
        }
        for one in msgspec.json.decode(document, type=Document).variables
        if one.user_viewable
    ]


def bare_app(database_url: str, redis_url: str) -> Any:
    """All of them at the panel's addresses."""
    connect(database_url)
    bare = Bare(redis_url)
    app: falcon.asgi.App[Any, Any] = falcon.asgi.App()
    app.add_route("/api/v1/auth/session", bare, suffix="session")
    app.add_route("/api/v1/users/me", bare, suffix="me")
    app.add_route("/api/v1/servers", bare, suffix="page")
    app.add_route("/api/v1/servers/{server_id}", bare, suffix="server")
    app.add_route("/api/v1/admin/users", bare, suffix="users")
    return app
