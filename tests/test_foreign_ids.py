"""Ids of what is somebody else's, or another server's, on every route that takes one: nothing is told or done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from foreign_parts import Estate, everything, new_estate
from full_panel import full_panel
from matrix_parts import MATRIX, Case, case_of, forget_limits, name_of
from rights_parts import new_user, signed_in
from web_parts import WebServer
from whole_panel import database_url_on

from stellar.auth import sessions
from stellar.http.app import build
from stellar.http.router import Operation
from stellar.testing.valkey import ValkeyServer

WITH_IDS = [name for name in MATRIX["routes"] if "{" in name and not name.startswith("WEBSOCKET")]
WITH_TWO = [name for name in WITH_IDS if name.count("{") > 1 and "/unknown-servers/" not in name]
"""Servers that the panel doesn't know are asked of the node alone."""
NAMED = {"provider", "key", "job_id", "blueprint_id"}
"""Parameters that name what belongs to nobody."""
LINKS = {"POST /api/v1/users/me/identities/{identity}"}
"""``identity`` is the name of a service there."""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def web(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer
) -> Iterator[WebServer]:
    """A panel with every built-in plugin and no node connected."""
    data = tmp_path_factory.mktemp("foreign")
    with full_panel(data, valkey.url, database_url_on(request.param, request, data)) as server:
        yield server


@pytest.fixture(scope="module")
def operations(web: WebServer) -> dict[str, Operation]:
    """Everything that is served."""
    return {name_of(one): one for one in build(web.panel)[1].operations}


@pytest.fixture(scope="module")
def mine(web: WebServer) -> Estate:
    """What belongs to whoever asks."""
    return new_estate()


@pytest.fixture(scope="module")
def other(web: WebServer) -> Estate:
    """What belongs to somebody else."""
    return new_estate()


def ask(client: httpx.Client, case: Case, ids: dict[str, str]) -> httpx.Response:
    """The case's route with these ids; what has no id is called ``x``."""
    path = re.sub(r":[^}]*}", "}", case.operation.path)
    filled = path.format(**{name: ids.get(name, "x") for name in case.operation.parameters})
    method = case.operation.method.upper()
    body: dict[str, Any] = {} if method == "GET" or case.body is None else {"json": case.body}
    return client.request(method, filled, params=case.query, **body)


@pytest.mark.parametrize("name", WITH_IDS)
def test_what_belongs_to_somebody_else_does_not_exist(
    web: WebServer, operations: dict[str, Operation], mine: Estate, other: Estate, name: str, valkey: ValkeyServer
) -> None:
    operation = operations[name]
    forget_limits(valkey)
    unknown = set(operation.parameters) - set(other.ids) - NAMED
    assert not unknown, f"say in foreign_parts.py what {unknown} is the id of"
    if set(operation.parameters) <= NAMED or name in LINKS:
        return
    before = everything(web.panel)
    with signed_in(web, mine.owner) as client:
        refused = ask(client, case_of(operation), other.ids)
    assert refused.status_code in (403, 404), refused.text
    if refused.status_code == 403:
        assert MATRIX["routes"][name] in ("admin", "admin-session", "staff"), "a 403 says that there is something"
    for secret in (other.owner.email, other.server.name, other.ids["invitation_id"]):
        assert secret not in refused.text
    assert everything(web.panel) == before
    assert sessions.find(other.owner.id, other.ids["session_id"]) is not None


@pytest.mark.parametrize("name", WITH_TWO)
@pytest.mark.parametrize("role", ["user", "admin"])
def test_what_belongs_to_another_server_or_node_does_not_exist_here(
    web: WebServer, operations: dict[str, Operation], role: str, name: str, valkey: ValkeyServer
) -> None:
    operation = operations[name]
    forget_limits(valkey)
    owner = new_user(role, "owner")
    here, there = new_estate(owner), new_estate(owner)
    first, *rest = operation.parameters
    before = everything(web.panel)
    with signed_in(web, owner) as client:
        answer = ask(client, case_of(operation), {first: here.ids[first], **{one: there.ids[one] for one in rest}})
        assert answer.status_code == (403 if role == "user" and first == "node_id" else 404), answer.text
        assert everything(web.panel) == before
        found = ask(client, case_of(operation), {one: there.ids[one] for one in operation.parameters})
    assert (role, first) == ("user", "node_id") or found.status_code != 404, "the ids are right together"


def test_filters_by_ids_of_others_show_nothing_of_them(web: WebServer, mine: Estate, other: Estate) -> None:
    with signed_in(web, mine.owner) as client:
        for query in (
            {"owner": other.owner.id},
            {"node": other.ids["node_id"]},
            {"search": other.server.short_id},
        ):
            assert client.get("/api/v1/servers", params=query).json() == {"items": [], "next": None}
        shown = [one["id"] for one in client.get("/api/v1/servers").json()["items"]]
    assert shown == [mine.server.id]


def test_an_own_session_and_key_are_found_only_by_their_owner(web: WebServer, mine: Estate, other: Estate) -> None:
    with signed_in(web, mine.owner) as client:
        shown = client.get("/api/v1/auth/sessions").text + client.get("/api/v1/users/me/keys").text
        assert mine.ids["key_id"] in shown and mine.ids["session_id"] in shown
        assert other.ids["key_id"] not in shown and other.ids["session_id"] not in shown
