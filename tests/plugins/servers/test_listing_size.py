"""A page of servers takes the database as much work among thousands as among few."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from bench import seeds

from stellar.auth.permissions import Actor
from stellar.db import database
from stellar.panel import Panel
from stellar.plugins.blueprints.service import sync_builtin
from stellar.plugins.servers import listing, views
from stellar.plugins.servers.models import Server
from stellar.plugins.servers.permissions import visible
from stellar.plugins.servers.schemas import ListQuery

FEW, MANY = 400, 4000
STEPS = 20
"""Instructions of SQLite's machine, the unit in which its work is counted."""

ADMIN = Actor("admin", "Admin", is_admin=True, role="admin")
MEMBER = Actor(seeds.MEMBER, "Member")


@pytest.fixture(autouse=True)
def panel(stellar_panel: Panel) -> Iterator[Panel]:
    """A panel with few servers."""
    sync_builtin()
    seeds.fill(FEW)
    return stellar_panel


def work(fn: Callable[[], object]) -> int:
    """How much SQLite has to do for it."""
    counted = [0]

    def count() -> int:
        counted[0] += 1
        return 0

    fn()
    connection = database.connection()
    connection.set_progress_handler(count, STEPS)
    try:
        fn()
    finally:
        connection.set_progress_handler(None, 0)
    return counted[0]


QUERIES = {
    "newest first": (ADMIN, ListQuery(limit=100)),
    "oldest first": (ADMIN, ListQuery(limit=100, sort="created_at")),
    "by name": (ADMIN, ListQuery(limit=100, sort="name")),
    "by state": (ADMIN, ListQuery(limit=100, sort="-state")),
    "rare state": (ADMIN, ListQuery(limit=100, state="running")),
    "common state": (ADMIN, ListQuery(limit=100, state="offline")),
    "suspended": (ADMIN, ListQuery(limit=100, state="suspended")),
    "node": (ADMIN, ListQuery(limit=100, node=seeds.NODE)),
    "blueprint": (ADMIN, ListQuery(limit=100, blueprint="luanti")),
    "owner": (ADMIN, ListQuery(limit=100, owner=seeds.MEMBER)),
    "a member's": (MEMBER, ListQuery(limit=100)),
    "a member's by name": (MEMBER, ListQuery(limit=100, sort="name")),
    "a member's own": (MEMBER, ListQuery(limit=100, owner="me")),
    "a member's running": (MEMBER, ListQuery(limit=100, state="running")),
}


def test_work_does_not_grow_with_the_number_of_servers() -> None:
    few = {name: work(lambda case=case: listing.page(*case)) for name, case in QUERIES.items()}
    seeds.fill(MANY)
    many = {name: work(lambda case=case: listing.page(*case)) for name, case in QUERIES.items()}
    assert {name: (few[name], many[name]) for name in QUERIES if many[name] > 1.25 * few[name] + 50} == {}


def test_next_page_takes_no_more_than_the_first() -> None:
    seeds.fill(MANY)
    for actor, sort in ((ADMIN, "-created_at"), (ADMIN, "name"), (MEMBER, "created_at")):
        query = ListQuery(limit=50, sort=sort)
        first = work(lambda actor=actor, query=query: listing.page(actor, query))
        for _ in range(2):
            query.after = listing.page(actor, query).next
        assert work(lambda actor=actor, query=query: listing.page(actor, query)) <= 1.25 * first + 50


def test_one_server_and_what_a_member_sees_take_no_more_either() -> None:
    def shown() -> object:
        return views.detail(MEMBER, seeds.server_id(3))

    def seen() -> object:
        return list(Server.select(Server.id).where(visible(MEMBER)).tuples())

    few = [work(fn) for fn in (shown, seen)]
    seeds.fill(MANY)
    many = [work(fn) for fn in (shown, seen)]
    assert [large > 1.25 * small + 50 for small, large in zip(few, many, strict=True)] == [False, False]
