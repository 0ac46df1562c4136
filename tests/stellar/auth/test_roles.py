"""Roles: built in and custom, granted within what one holds, and counting at once everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from rights_parts import code, new_user, signed_in
from web_parts import WebServer, make_panel, running

from stellar.auth import roles, users
from stellar.auth.models import Role, User
from stellar.auth.permissions import SYSTEM, role_actions
from stellar.errors import Conflict, Forbidden, Invalid

ROLES = "/api/v1/admin/roles"


@pytest.fixture
def web(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[WebServer]:
    """A running panel without plugins, on both databases."""
    with running(make_panel(tmp_path / "data", redis_url, database={"url": database_url})) as server:
        yield server


@pytest.fixture
def admin(web: WebServer) -> Iterator[httpx.Client]:
    """An administrator's browser."""
    with signed_in(web, new_user("admin")) as client:
        yield client


def give(user: User, role: str) -> None:
    """Give an account a role as the system."""
    roles.require_assignable(SYSTEM, role)
    users.set_role(user.id, role)


def test_built_in_roles_are_listed_and_stay_as_they_are(admin: httpx.Client) -> None:
    found = {one["name"]: one for one in admin.get(ROLES).json()}
    assert list(found) == ["admin", "support", "user"]
    assert {"roles.manage", "audit.read"} <= set(found["admin"]["actions"])
    assert {"audit.read", "accounts.read"} <= set(found["support"]["actions"])
    assert not [action for action in role_actions("support") if action.endswith(".manage")]
    for name in found:
        assert code(admin.patch(f"{ROLES}/{name}", json={"actions": []})) == (409, "role_builtin")
        assert code(admin.delete(f"{ROLES}/{name}")) == (409, "role_builtin")
        assert code(admin.post(ROLES, json={"name": name, "actions": []}))[0] in (409, 422)


def test_a_custom_role_counts_from_the_next_request(web: WebServer, admin: httpx.Client) -> None:
    user = new_user()
    made = admin.post(ROLES, json={"name": "auditor", "title": "Auditor", "actions": ["roles.read"]})
    assert made.status_code == 201, made.text
    with signed_in(web, user) as client:
        assert client.get(ROLES).status_code == 403
        give(user, "auditor")
        assert client.get(ROLES).status_code == 200
        assert client.get("/api/v1/auth/session").json()["user"]["role"] == "auditor"
        assert admin.patch(f"{ROLES}/auditor", json={"actions": []}).json()["actions"] == []
        assert client.get(ROLES).status_code == 403
        # Whatever process has written the row: nothing of it is kept.
        Role.update(actions=["roles.read"]).where(Role.name == "auditor").execute()
        assert client.get(f"{ROLES}/auditor").json()["users"] == 1


def test_a_role_in_use_stays(admin: httpx.Client) -> None:
    user = new_user()
    assert admin.post(ROLES, json={"name": "auditor", "actions": ["audit.read"]}).status_code == 201
    give(user, "auditor")
    assert code(admin.delete(f"{ROLES}/auditor")) == (409, "role_in_use")
    users.set_role(user.id, "user")
    assert admin.delete(f"{ROLES}/auditor").status_code == 204
    assert admin.get(f"{ROLES}/auditor").status_code == 404
    with pytest.raises(Invalid):
        give(user, "auditor")


def test_nobody_makes_a_role_of_what_they_do_not_hold(web: WebServer, admin: httpx.Client) -> None:
    user = new_user()
    keeper = {"name": "keeper", "actions": ["roles.read", "roles.manage", "accounts.manage"]}
    assert admin.post(ROLES, json=keeper).status_code == 201
    assert admin.post(ROLES, json={"name": "auditor", "actions": ["audit.read"]}).status_code == 201
    give(user, "keeper")
    with signed_in(web, user) as client:
        assert code(client.post(ROLES, json={"name": "more", "actions": ["audit.read"]})) == (403, "beyond_own")
        own = client.patch(f"{ROLES}/keeper", json={"actions": [*keeper["actions"], "settings.manage"]})
        assert code(own) == (403, "beyond_own")
        assert code(client.patch(f"{ROLES}/auditor", json={"actions": []})) == (403, "beyond_own")
        assert code(client.delete(f"{ROLES}/auditor")) == (403, "beyond_own")
        assert client.post(ROLES, json={"name": "less", "actions": ["roles.read"]}).status_code == 201
    actor = roles.actor_of_user(users.get(user.id))
    for role in ("admin", "auditor", "support"):
        with pytest.raises(Forbidden):
            roles.require_assignable(actor, role)
    roles.require_assignable(actor, "less")
    with pytest.raises(Forbidden):
        roles.require_over(actor, new_user("admin"))


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x", "actions": []},
        {"name": "Upper", "actions": []},
        {"name": "a" * 17, "actions": []},
        {"name": "fine", "actions": ["no.such"]},
        {"name": "fine", "actions": [], "builtin": True},
        {"name": "fine", "actions": "all"},
        {"name": "fine", "actions": [], "title": "\u202egnp"},
    ],
)
def test_a_bad_role_is_refused(admin: httpx.Client, body: dict[str, object]) -> None:
    assert admin.post(ROLES, json=body).status_code == 422


def test_the_last_administrator_keeps_the_role(admin: httpx.Client) -> None:
    (last,) = User.select().where(User.role == "admin")
    with pytest.raises(Conflict) as caught:
        users.set_role(last.id, "support")
    assert caught.value.code == "last_admin"
