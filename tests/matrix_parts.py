"""Asking one route as every kind of caller, for ``test_matrix``: fresh accounts, server and keys for each answer."""

from __future__ import annotations

import hashlib
import re
import secrets
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
from rights_parts import add_member, new_server, new_user, signed_in
from web_parts import WebServer
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from stellar.auth import users
from stellar.auth.models import Key, User
from stellar.auth.permissions import is_server_action
from stellar.http.router import Operation
from stellar.plugins.nodes.models import Node
from stellar.testing.valkey import ValkeyServer

MATRIX: dict[str, Any] = tomllib.loads(Path(__file__).with_name("matrix.toml").read_text("utf-8"))
OK, SIGN_IN, FORBIDDEN, MISSING = "ok", "401", "403", "404"
GUARDS = {"unauthenticated", "forbidden", "scope_missing", "session_required", "beyond_own", "suspended"}
"""The codes of refusals that are about who asks; others are about what is asked for."""
NO_SERVER = "There is no such server."


@dataclass
class Case:
    """One route with what it needs to be asked; ``action`` is what members and keys are given."""

    operation: Operation
    action: str | None
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As in the matrix."""
        return name_of(self.operation)


def name_of(operation: Operation) -> str:
    """``GET /api/v1/servers/{server_id}``"""
    return f"{operation.method.upper()} {re.sub(r':[^}]*}', '}', operation.path)}"


def case_of(operation: Operation) -> Case:
    """A route with its action, and a body and query that it accepts."""
    declared, name = operation.declaration, name_of(operation)
    permission = None if declared.permission == "signed_in" else declared.permission
    body = None
    if declared.body is not None:
        (schema,), components = msgspec.json.schema_components([declared.body], ref_template="#/{name}")
        body = example(schema, components)
    body = MATRIX["bodies"].get(name, body)
    query: dict[str, str] = {}
    if declared.query is not None:
        fields = msgspec.structs.fields(declared.query)
        query = {one.encode_name: "x" for one in fields if one.required}
    return Case(operation, MATRIX["actions"].get(name, permission), body, query | MATRIX["queries"].get(name, {}))


def forget_limits(valkey: ValkeyServer) -> None:
    """Let everybody begin anew who has asked too often."""
    with valkey.client() as client:
        for key in client.scan_iter("ratelimit:*"):
            client.delete(key)


class Scene:
    """A server with its owner and two members, and others; nobody has been here before."""

    def __init__(self, web: WebServer, node: Node, case: Case) -> None:
        self._web = web
        self._case = case
        given = [case.action] if case.action and is_server_action(case.action) else []
        self._scopes = sorted({"servers.read", *([case.action] if case.action else [])})
        self._other_scope = ["servers.read"] if case.action != "servers.read" else ["control.start"]
        self.owner = new_user(name="owner")
        self.server = new_server(self.owner, node)
        self.target = new_user(name="target")
        self._with = new_user(name="with")
        self._without = new_user(name="without")
        self._suspended = new_user(name="suspended")
        add_member(self.server, self._with, *given)
        add_member(self.server, self._without)
        add_member(self.server, self._suspended, *given)
        add_member(self.server, self.target)

    def answer(self, caller: str) -> str:
        """What the caller gets: ``ok`` or how they are refused."""
        with self._client(caller) as client:
            return self._socket(client) if self._case.operation.method == "websocket" else self._http(client)

    @contextmanager
    def _client(self, caller: str) -> Iterator[httpx.Client]:
        if caller == "anonymous":
            with self._web.client(timeout=30) as client:
                yield client
        elif "key" in caller:
            token = _key(self._user(caller), self._other_scope if caller == "key_without" else self._scopes)
            if caller == "suspended_key":
                users.suspend(self._suspended.id)
            with self._web.client(headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
                yield client
        else:
            user = self._user(caller)
            with signed_in(self._web, user) as client:
                if caller == "suspended":
                    users.suspend(user.id)
                yield client

    def _user(self, caller: str) -> User:
        known = {
            "owner": self.owner,
            "member_with": self._with,
            "member_without": self._without,
            "suspended": self._suspended,
            "key": self.owner,
            "key_without": self.owner,
            "suspended_key": self._suspended,
        }
        if caller in known:
            return known[caller]
        role = caller.removesuffix("_key")
        return new_user(role if role in ("admin", "support") else "user", caller)

    def _path(self) -> str:
        values = {"server_id": self.server.id, "user_id": self.target.id, "node_id": self.server.node_id}
        names = self._case.operation.parameters
        path = re.sub(r":[^}]*}", "}", self._case.operation.path)
        return path.format(**{name: values.get(name, str(uuid.uuid4())) for name in names})

    def _http(self, client: httpx.Client) -> str:
        case = self._case
        method = case.operation.method.upper()
        body: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": case.body}
        if method != "GET" and case.operation.declaration.body is None:
            body = {"content": b"x" if method == "PUT" else b""}
        with client.stream(method, self._path(), params=case.query, **body) as answer:
            if answer.status_code < 300:
                return OK
            if answer.is_redirect:
                away = case.operation.declaration.permission and answer.headers["Location"].startswith("/auth/signin")
                return SIGN_IN if away else OK
            answer.read()
        return self._refusal(answer)

    def _refusal(self, answer: httpx.Response) -> str:
        assert answer.status_code not in (405, 429, 500), f"{self._case.name}: {answer.text}"
        if "json" not in answer.headers["Content-Type"]:
            about_server = answer.status_code == 404 and "server_id" in self._case.operation.parameters
            return str(answer.status_code) if about_server or answer.status_code in (401, 403) else OK
        problem = answer.json()
        if answer.status_code in (401, 403) and problem["code"] in GUARDS:
            return str(answer.status_code)
        return MISSING if problem["detail"] == NO_SERVER else OK

    def _socket(self, client: httpx.Client) -> str:
        headers = {name: client.headers[name] for name in ("Authorization",) if name in client.headers}
        if client.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        url = f"ws{self._web.url.removeprefix('http')}{self._path()}"
        try:
            with connect(url, additional_headers=headers, proxy=None):
                return OK
        except InvalidStatus as refused:
            problem = msgspec.json.decode(refused.response.body)
            status = refused.response.status_code
            return str(status) if problem["code"] in GUARDS else OK


def example(schema: dict[str, Any], components: dict[str, Any]) -> Any:
    """The smallest value that a schema allows."""
    if "$ref" in schema:
        return example(components[schema["$ref"].rpartition("/")[2]], components)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], components)
    kind = schema.get("type")
    if kind == "object":
        wanted = schema.get("required", ())
        return {name: example(schema["properties"][name], components) for name in wanted}
    if kind == "array":
        return [example(schema["items"], components)] * schema.get("minItems", 0)
    simple = {"string": "x" * max(1, schema.get("minLength", 1)), "boolean": False, "null": None}
    return simple[kind] if kind in simple else schema.get("minimum", 0)


def _key(owner: User, scopes: list[str]) -> str:
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    Key.create(id=key_id, user=owner, name="key", secret_hash=hashed, scopes=scopes, networks=[])
    return f"stk_{key_id}_{secret}"
