"""However administrators remove each other at the same time, one stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from full_panel import full_panel
from rights_parts import new_user, signed_in
from web_parts import WebServer
from whole_panel import database_url_on, together

from stellar.auth.models import User
from stellar.testing.valkey import ValkeyServer

BASE = "/api/v1/admin/users"
WAYS = {
    "delete": ("DELETE", "", None),
    "demote": ("PATCH", "", {"role": "user"}),
    "suspend": ("PATCH", "", {"suspended": True}),
    "suspend by its own route": ("POST", "/suspend", None),
}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def web(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer
) -> Iterator[WebServer]:
    """A panel with every built-in plugin."""
    data: Path = tmp_path_factory.mktemp("last")
    with full_panel(data, valkey.url, database_url_on(request.param, request, data)) as server:
        yield server


def administrators() -> list[str]:
    """The ids of the active ones."""
    return [user.id for user in User.select().where((User.role == "admin") & User.suspended_at.is_null())]


def remove_each_other(web: WebServer, way: str, count: int) -> list[int]:
    """New administrators, each of whom removes the next at the same time; the statuses of the answers."""
    method, rest, body = WAYS[way]
    everyone = [new_user("admin", "root") for _ in range(count)]
    with ExitStack() as stack:
        clients = [stack.enter_context(signed_in(web, user)) for user in everyone]

        def remove(number: int) -> int:
            victim = everyone[(number + 1) % count]
            return clients[number].request(method, f"{BASE}/{victim.id}{rest}", json=body).status_code

        return together(count, remove)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [2, 4])
def test_administrators_who_remove_each_other_leave_one(web: WebServer, way: str, count: int) -> None:
    for _ in range(3):
        User.update(role="user").where(User.role == "admin").execute()
        statuses = remove_each_other(web, way, count)
        left = administrators()
        assert left, statuses
        assert len(left) == count - sum(status < 300 for status in statuses), statuses
        assert set(statuses) <= {200, 202, 204, 401, 403, 404, 409}


@pytest.mark.parametrize("way", WAYS)
def test_the_last_administrator_stays_also_for_who_was_one_a_moment_ago(web: WebServer, way: str) -> None:
    method, rest, body = WAYS[way]
    User.update(role="user").where(User.role == "admin").execute()
    last, former = new_user("admin", "last"), new_user("admin", "former")
    with signed_in(web, former) as client:
        User.update(role="user").where(User.id == former.id).execute()
        refused = client.request(method, f"{BASE}/{last.id}{rest}", json=body)
    assert refused.status_code in (403, 409), refused.text
    assert administrators() == [last.id]


def test_nobody_is_lost_between_a_promotion_a_suspension_and_a_demotion(web: WebServer) -> None:
    for _ in range(6):
        User.update(role="user").where(User.role == "admin").execute()
        with ExitStack() as stack:
            first, second = new_user("admin", "first"), new_user("user", "second")
            root = stack.enter_context(signed_in(web, first))
            other = stack.enter_context(signed_in(web, first))
            changes = [(root, second, {"role": "admin"}), (other, second, {"suspended": True})]
            changes += [(root, first, {"role": "user"})]

            def change(number: int, changes: list[tuple[httpx.Client, User, dict[str, object]]] = changes) -> int:
                client, user, wanted = changes[number]
                return client.patch(f"{BASE}/{user.id}", json=wanted).status_code

            statuses = together(3, change)
        assert administrators(), statuses
        assert set(statuses) <= {200, 401, 403, 404, 409}, statuses
