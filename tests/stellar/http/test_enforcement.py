"""What is declared is enforced before the responder runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from probe_plugin import calls, probe
from web_parts import WebServer, make_panel, make_plugin, running

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.config import Config, prepare_data
from stellar.errors import SetupError
from stellar.extend import hookimpl
from stellar.extend.registry import RegistrationError
from stellar.http import Request, Socket, endpoint, websocket
from stellar.http.app import build
from stellar.http.openapi import describe_api
from stellar.panel import Panel, boot

BODY = {"name": "a"}


def test_nobody_gets_in(web: WebServer) -> None:
    calls.clear()
    with web.client() as client:
        for answer in (client.put("/api/v1/things/1", json=BODY), client.delete("/api/v1/things/1")):
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert calls == []


def test_a_permission_is_needed(web: WebServer) -> None:
    calls.clear()
    with web.signed_in() as client:
        answer = client.delete("/api/v1/things/1")
    assert (answer.status_code, answer.json()["code"], calls) == (403, "forbidden", [])
    with web.signed_in("root@example.com", "admin") as client:
        assert client.delete("/api/v1/things/1").status_code == 204
    assert calls == ["1"]


def test_somebody_elses_resource_does_not_exist(web: WebServer) -> None:
    with web.signed_in() as client:
        mine = client.get("/api/v1/users/me").json()["id"]
        assert client.get(f"/api/v1/things/{mine}").status_code == 200
        answer = client.get("/api/v1/things/another")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    with web.signed_in("root@example.com", "admin") as client:
        assert client.get("/api/v1/things/another").status_code == 200


def test_a_plugin_may_deny(tmp_path: Path, redis_url: str) -> None:
    @hookimpl
    def permission_allowed(actor: Actor, action: str) -> bool | None:
        if actor.email == "broken@example.com":
            raise RuntimeError("a broken rule")
        return False if actor.email == "root@example.com" and action == "things.remove" else None

    denying = make_plugin("denying", permission_allowed=permission_allowed)
    with running(make_panel(tmp_path, redis_url, probe, denying)) as server:
        for email, status in (("root@example.com", 403), ("other@example.com", 204), ("broken@example.com", 500)):
            with server.signed_in(email, "admin") as client:
                assert client.delete("/api/v1/things/1").status_code == status


def test_a_plugin_may_know_the_caller(tmp_path: Path, redis_url: str) -> None:
    @hookimpl
    def authenticate(credentials: dict[str, str]) -> Actor | None:
        if credentials.get("authorization") == "Bearer good":
            return Actor(user_id="u-1", name="A key", is_admin=True, kind="key")
        return None

    with running(make_panel(tmp_path, redis_url, probe, make_plugin("keys", authenticate=authenticate))) as server:
        with server.client() as client:
            assert client.delete("/api/v1/things/1", headers={"Authorization": "Bearer bad"}).status_code == 401
            assert client.delete("/api/v1/things/1", headers={"Authorization": "Bearer good"}).status_code == 204
            answer = client.get("/api/v1/auth/session", headers={"Authorization": "Bearer good"})
            assert (answer.status_code, answer.json()["code"]) == (403, "session_required")
        entry = audit.list_page(action="thing.remove").entries[0]
        assert (entry.actor_kind, entry.actor_id, entry.address) == ("key", "u-1", "127.0.0.1")


@pytest.mark.parametrize("token", [None, "", "wrong", "wröng", "x" * 5000])
def test_a_change_needs_the_csrf_token(web: WebServer, token: str | None) -> None:
    calls.clear()
    with web.signed_in() as client:
        del client.headers["X-CSRF-Token"]
        headers = {} if token is None else {"X-CSRF-Token": token.encode()}
        answer = client.put("/api/v1/things/1", json=BODY, headers=headers)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"], calls) == (403, "csrf", [])


def test_another_sessions_csrf_token_is_no_good(web: WebServer) -> None:
    with web.signed_in() as one, web.signed_in() as two:
        answer = one.put("/api/v1/things/1", json=BODY, headers={"X-CSRF-Token": two.headers["X-CSRF-Token"]})
        assert answer.status_code == 403
        assert one.put("/api/v1/things/1", json=BODY).status_code == 200


def test_another_sites_form_is_refused_even_with_a_token(web: WebServer) -> None:
    with web.signed_in() as client:
        for origin, status in (("https://evil.example", 403), ("null", 403), (web.url, 200)):
            answer = client.put("/api/v1/things/1", json=BODY, headers={"Origin": origin})
            assert answer.status_code == status


def test_a_proxy_that_changes_the_host_may_name_the_public_address(tmp_path: Path, redis_url: str) -> None:
    panel = make_panel(tmp_path, redis_url, probe, web={"public_url": "https://panel.example"})
    with running(panel) as server, server.signed_in() as client:
        answer = client.put("/api/v1/things/1", json=BODY, headers={"Origin": "https://panel.example"})
        assert answer.status_code == 200


def test_success_is_audited_and_failure_is_not(web: WebServer) -> None:
    with web.signed_in() as client:
        answer = client.put("/api/v1/things/7", json=BODY)
        client.put("/api/v1/things/8", json={"nope": 1})
    entries = audit.list_page(action="thing.*").entries
    assert [(entry.action, entry.target_type, entry.target_id) for entry in entries] == [("thing.change", "thing", "7")]
    assert entries[0].actor_name == "ada@example.com"
    assert entries[0].request_id == answer.headers["x-request-id"]


def plugin_with(path: str, resource: object, name: str = "odd") -> Any:
    @hookimpl
    def register_routes(routes: Any) -> None:
        routes.add(path, resource)

    return make_plugin(name, register_routes=register_routes)


class Declared:
    @endpoint(permission=None)
    async def on_get(self, req: Request) -> None:
        """Nothing."""


class Undeclared:
    async def on_get(self, req: Request, resp: object) -> None:
        """Nothing."""


class WrongName:
    @websocket(permission=None)
    async def on_get(self, req: Request, socket: Socket) -> None:
        """Nothing."""


class WrongPermission:
    @endpoint(permission="nobody.knows")
    async def on_get(self, req: Request) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("path", "resource", "words"),
    [
        ("/odd", Undeclared(), "not declared"),
        ("/odd", WrongName(), "wrong name"),
        ("/odd", WrongPermission(), "nobody.knows"),
        ("/odd", object(), "no method"),
        ("/things/{other}", Declared(), "already served by probe"),
        ("/auth/signin", Declared(), "already served by core"),
    ],
)
def test_a_route_that_would_not_work_is_refused(
    tmp_path: Path, redis_url: str, path: str, resource: object, words: str
) -> None:
    with pytest.raises(RegistrationError, match=words):
        build(make_panel(tmp_path, redis_url, probe, plugin_with(path, resource)))


def test_two_plugins_with_one_path_are_both_named(tmp_path: Path, redis_url: str) -> None:
    with pytest.raises(SetupError, match=r"probe.*odd"):
        make_panel(tmp_path, redis_url, probe, plugin_with("/things", Declared()))


def test_a_third_partys_bad_route_is_left_out(tmp_path: Path, redis_url: str) -> None:
    panel = make_panel(tmp_path, redis_url, plugin_with("/x/odd/a", Undeclared()), builtin=False)
    with running(panel) as server, server.client() as client:
        assert client.get("/api/v1/x/odd/a").status_code == 404
        assert client.get("/healthz").status_code == 200


def test_a_body_has_to_forbid_unknown_fields() -> None:
    class Loose(msgspec.Struct):
        name: str

    with pytest.raises(TypeError, match="forbid_unknown_fields"):
        endpoint(permission=None, body=Loose)


def test_the_description_covers_every_route(tmp_path: Path, redis_url: str) -> None:
    panel: Panel = make_panel(tmp_path, redis_url, probe)
    app, router = build(panel)
    document = describe_api(router.operations)
    assert document["openapi"] == "3.1.0"
    described = {(path, method) for path, operations in document["paths"].items() for method in operations}
    declared = {
        (one.path, "get" if one.method == "websocket" else one.method)
        for one in router.operations
        if one.path.startswith("/api/v1/")
    }
    assert described == declared
    served = {root.uri_template for root in _nodes(app._router._roots) if root.resource is not None}
    assert served == {one.path for one in router.operations}
    identifiers = [one["operationId"] for paths in document["paths"].values() for one in paths.values()]
    assert len(set(identifiers)) == len(identifiers)
    assert all(one["summary"] for paths in document["paths"].values() for one in paths.values())


def test_the_description_is_valid_and_refers_to_what_it_has(web: WebServer) -> None:
    with web.client() as client:
        document = client.get("/api/v1/openapi.json").json()
    components = document["components"]
    for reference in _references(document):
        kind, _, name = reference.removeprefix("#/components/").partition("/")
        assert name in components[kind]
    change = document["paths"]["/api/v1/things/{thing_id}"]["put"]
    assert [one["name"] for one in change["parameters"]] == ["thing_id"]
    assert change["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Wanted"}
    assert components["schemas"]["Wanted"]["additionalProperties"] is False
    assert change["security"] == [{"session": [], "csrf": []}], "being signed in is no scope that a key could have"
    listing = document["paths"]["/api/v1/things"]["get"]
    assert [one["name"] for one in listing["parameters"]] == ["page", "tag", "deep", "colour", "since"]
    assert document["paths"]["/api/v1/things"]["post"]["responses"]["201"]["content"]["application/json"]


def test_every_route_of_the_built_in_plugins_is_described(tmp_path: Path, redis_url: str) -> None:
    config = Config(tmp_path, {"redis": {"url": redis_url}}, {}, "the test's configuration")
    prepare_data(config)
    panel = boot("web", config=config)
    panel.open()
    _, router = build(panel)
    document = describe_api(router.operations)
    components = document["components"]
    for reference in _references(document):
        kind, _, name = reference.removeprefix("#/components/").partition("/")
        assert name in components[kind]
    for one in router.operations:
        if one.path.startswith("/api/"):
            path = re.sub(r":[^}]*}", "}", one.path)
            method = "get" if one.method == "websocket" else one.method
            assert document["paths"][path][method]["summary"], one
        for part in _structs(one.declaration.body):
            assert part.__struct_config__.forbid_unknown_fields, f"{part} in the body of {one.method} {one.path}"


def _structs(type_: Any) -> list[Any]:
    """Every struct that a body's type contains."""
    found: dict[Any, None] = {}

    def walk(info: Any) -> None:
        if isinstance(info, (list, tuple)):
            for item in info:
                walk(item)
        elif isinstance(info, msgspec.inspect.StructType) and info.cls not in found:
            found[info.cls] = None
            walk([field.type for field in info.fields])
        elif isinstance(info, msgspec.inspect.Type):
            walk([getattr(info, name) for name in ("type", "types", "item_type", "value_type") if hasattr(info, name)])

    if type_ is not None:
        walk(msgspec.inspect.type_info(type_))
    return list(found)


def _nodes(nodes: list[Any]) -> list[Any]:
    return [found for node in nodes for found in (node, *_nodes(node.children))]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for item in value.values() for found in _references(item)]
    if isinstance(value, list):
        return [found for item in value for found in _references(item)]
    return []
