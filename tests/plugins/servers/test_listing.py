"""The list of servers: searched, filtered, sorted, in pages that hold while servers come and go."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from whole_panel import Site

from stellar.db import database
from stellar.plugins.servers.models import Server

LIST = "/api/v1/servers"


@pytest.fixture
def stranger(site: Site) -> Iterator[httpx.Client]:
    """Somebody else with an account."""
    with site.user("stranger") as client:
        yield client


def names(client: httpx.Client, **query: Any) -> list[str]:
    """The names on the first page."""
    answer = client.get(LIST, params=query)
    assert answer.status_code == 200, answer.text
    return [server["name"] for server in answer.json()["items"]]


def every(client: httpx.Client, **query: Any) -> list[str]:
    """The names on all pages."""
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = client.get(LIST, params={**query, **after}).json()
        found += [server["name"] for server in page["items"]]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}


def test_list_is_searched_and_filtered(site: Site, ada: httpx.Client, stranger: httpx.Client) -> None:
    first = site.create(client=ada, name="Alpha 100%", description="the old world")
    second = site.create("generic", client=ada, name="Beta_world", variables={"START_COMMAND": "cat"})
    site.create(client=stranger, name="Alpha of a stranger")
    first.wait("offline")
    second.wait("offline")
    assert names(ada, search="alpha") == ["Alpha 100%"]
    assert names(ada, search="world", sort="name") == ["Alpha 100%", "Beta_world"]
    assert names(ada, search="world old") == ["Alpha 100%"]
    assert names(ada, search="%") == ["Alpha 100%"]
    assert names(ada, search="_") == ["Beta_world"]
    assert names(ada, search="' or 1=1 --") == []
    assert names(ada, search=second.get()["short_id"][:6]) == ["Beta_world"]
    assert names(site.admin, search="alpha", sort="name") == ["Alpha 100%", "Alpha of a stranger"]
    assert names(ada, blueprint="generic") == names(ada, blueprint=second.get()["blueprint"]["id"]) == ["Beta_world"]
    assert len(names(ada, node=site.node.name)) == len(names(ada, node=site.node.id)) == 2
    assert names(ada, node="no-such") == names(ada, blueprint="no-such") == names(ada, state="running") == []
    Server.update(suspended=True).where(Server.id == second.id).execute()
    assert names(ada, state="suspended") == ["Beta_world"]
    assert len(names(ada, state="offline")) == 2
    Server.update(suspended=False).where(Server.id == second.id).execute()


def test_case_does_not_matter_in_any_script(site: Site, ada: httpx.Client) -> None:
    server = site.create(client=ada, name="Zürich ÖL", description="Große Straße, Ελλάδα")
    for name in ("beta", "Alpha", "äpfel"):
        site.create(client=ada, name=name)
    for search in ("ZÜRICH", "zürich öl", "GROSSE STRASSE", "große", "ελλάδα", "Zu\u0308rich"):
        assert names(ada, search=search) == ["Zürich ÖL"], search
    assert names(ada, search="Zurich") == []
    assert every(ada, sort="name", limit=1) == ["Alpha", "beta", "Zürich ÖL", "äpfel"]
    assert ada.patch(server.path, json={"description": "ÉCLAIR"}).status_code == 200
    assert names(ada, search="éclair zürich") == ["Zürich ÖL"] and names(ada, search="große") == []


def test_owner_filter_shows_nobody_elses_servers(site: Site, ada: httpx.Client, stranger: httpx.Client) -> None:
    mine, theirs = site.create(client=ada, name="Mine"), site.create(client=stranger, name="Theirs")
    owner = theirs.get()["owner"]["id"]
    assert names(ada, owner="me") == ["Mine"]
    assert names(ada, owner=owner) == []
    assert names(site.admin, owner=owner) == ["Theirs"]
    assert names(site.admin, owner=mine.get()["owner"]["id"]) == ["Mine"]
    assert names(site.admin, owner="me") == []


def test_every_order_pages_through_everything_once(site: Site, ada: httpx.Client) -> None:
    made = [site.create(client=ada, name=name) for name in ("b", "a", "c", "b", "d")]
    for server in made:
        server.wait("offline")
    assert every(ada, sort="name", limit=2) == ["a", "b", "b", "c", "d"]
    assert every(ada, sort="-name", limit=2) == ["d", "c", "b", "b", "a"]
    assert every(ada, sort="created_at", limit=2) == ["b", "a", "c", "b", "d"]
    assert every(ada, limit=1) == every(ada, sort="-created_at", limit=3) == ["d", "b", "c", "a", "b"]
    for sort in ("state", "-state"):
        assert sorted(every(ada, sort=sort, limit=2)) == ["a", "b", "b", "c", "d"]


def test_pages_hold_while_servers_come_and_go(site: Site, ada: httpx.Client) -> None:
    made = {name: site.create(client=ada, name=name) for name in ("b", "d", "f", "h")}
    page = ada.get(LIST, params={"sort": "name", "limit": 2}).json()
    assert [server["name"] for server in page["items"]] == ["b", "d"]
    site.create(client=ada, name="a")
    site.create(client=ada, name="g")
    assert ada.delete(made["d"].path).status_code == 204
    following = ada.get(LIST, params={"sort": "name", "limit": 2, "after": page["next"]}).json()
    assert [server["name"] for server in following["items"]] == ["f", "g"]
    last = ada.get(LIST, params={"sort": "name", "limit": 2, "after": following["next"]}).json()
    assert ([server["name"] for server in last["items"]], last["next"]) == (["h"], None)


def test_cursor_that_was_touched_is_refused(site: Site, ada: httpx.Client, stranger: httpx.Client) -> None:
    for number in range(3):
        site.create(client=ada, name=f"n{number}")
    cursor: str = ada.get(LIST, params={"limit": 1}).json()["next"]
    assert ada.get(LIST, params={"limit": 1, "after": cursor}).status_code == 200
    data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    forged = base64.urlsafe_b64encode(data[:16] + data[16:].replace(b"20", b"19", 1)).rstrip(b"=").decode()
    touched = [
        cursor[:-2],
        cursor + "A",
        cursor + "=",
        "A" + cursor[1:],
        cursor[::-1],
        forged,
        "",
        "x",
        "\u202e",
        "=" * 9,
    ]
    for client, after, more in [
        *((ada, after, {}) for after in touched if after != cursor),
        (stranger, cursor, {}),
        (site.admin, cursor, {}),
        (ada, cursor, {"sort": "name"}),
    ]:
        refused = client.get(LIST, params={"after": after, **more})
        assert (refused.status_code, list(refused.json()["errors"])) == (422, ["after"]), after
    assert ada.get(LIST, params={"after": "x" * 5000}).status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        "sort=",
        "sort=password_hash",
        "sort=owner",
        "sort=--name",
        "sort=name,id",
        "sort=name;drop",
        "state=dead",
        "state=",
        "state=offline&state=running",
        "node=",
        f"node={'x' * 65}",
        "blueprint=%00",
        "owner_id=x",
        "is_admin=true",
        "filter[name]=x",
        f"search={'x' * 101}",
        "search=%00",
    ],
)
def test_unknown_order_or_filter_is_refused(site: Site, query: str) -> None:
    refused = site.admin.get(f"{LIST}?{query}")
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json"), refused.text


def test_page_asks_the_database_as_often_for_many_as_for_few(site: Site, ada: httpx.Client) -> None:
    counts = []
    for _ in range(2):
        for server in [site.create(client=ada) for _ in range(2)]:
            server.wait("offline")
        with counted() as queries:
            assert ada.get(LIST).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] > 0


@contextmanager
def counted() -> Iterator[list[str]]:
    """Every statement that this process sends to the database about servers."""
    seen: list[str] = []
    real = database.obj.execute_sql

    def execute(sql: str, *arguments: Any, **options: Any) -> Any:
        tables = ("servers_server", "nodes_", "blueprints_", "auth_user")
        # What runs often is prepared, once a connection, and then called by its name.
        if sql.startswith("execute ") or (not sql.startswith("prepare ") and any(name in sql for name in tables)):
            seen.append(sql)
        return real(sql, *arguments, **options)

    with patch.object(database.obj, "execute_sql", execute):
        yield seen


def test_page_of_servers_is_searched(site: Site, ada: httpx.Client) -> None:
    site.create(client=ada, name="Alpha")
    site.create(client=ada, name="Beta")
    found = ada.get("/servers", params={"search": "alph"}).text
    assert "Alpha" in found and "Beta" not in found
    none = ada.get("/servers", params={"search": '"><script>'})
    assert none.status_code == 200 and "<script>&" not in none.text and "No such server" in none.text
