"""Members of servers and invitations: lists of actions, given only by those who hold them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from full_panel import full_panel
from rights_parts import add_member, code, new_node, new_server, new_user, signed_in
from web_parts import WebServer
from whole_panel import together

from stellar import mail
from stellar.auth import users
from stellar.auth.models import Role, User
from stellar.db import database, disconnect, now
from stellar.errors import Conflict
from stellar.plugins.nodes.models import Node
from stellar.plugins.servers import invitations
from stellar.plugins.servers.models import Invitation, Member, Server

ACCEPT = "/api/v1/invitations/accept"


@pytest.fixture
def web(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[WebServer]:
    """A panel with every plugin and no node connected, on both databases."""
    with full_panel(tmp_path, redis_url, database_url) as server:
        yield server


@pytest.fixture
def node(web: WebServer) -> Node:
    """Where the servers are said to be."""
    return new_node()


@pytest.fixture
def owner(web: WebServer) -> User:
    """Who owns ``server``."""
    return new_user(name="owner")


@pytest.fixture
def server(owner: User, node: Node) -> Server:
    """A server."""
    return new_server(owner, node)


@pytest.fixture
def browser(web: WebServer, owner: User) -> Iterator[httpx.Client]:
    """The owner's browser."""
    with signed_in(web, owner) as client:
        yield client


def path(server: Server, rest: str = "") -> str:
    """Something about a server."""
    return f"/api/v1/servers/{server.id}{rest}"


def test_a_mail_is_sent_only_for_what_its_maker_may_still_give(
    browser: httpx.Client, server: Server, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(mail, "send", lambda config, to, subject, text: sent.append(to))
    invite(browser, server, "friend@example.com")
    (row,) = Invitation.select()
    users.suspend(owner.id)
    with pytest.raises(Conflict, match="may not give that any more"):
        invitations.send(row.id)
    assert sent == []
    users.unsuspend(owner.id)
    invitations.send(row.id)
    assert sent == ["friend@example.com"]
    Invitation.update(expires_at=now()).execute()
    invitations.send(row.id)
    assert len(sent) == 1


def invite(browser: httpx.Client, server: Server, email: str, **grant: Any) -> str:
    """The token of a new invitation."""
    made = browser.post(path(server, "/invitations"), json={"email": email, **(grant or {"preset": "viewer"})})
    assert made.status_code == 201, made.text
    assert made.json()["mailed"] is False
    return parse_qs(urlsplit(made.json()["url"]).query)["token"][0]


def test_a_member_sees_the_server_and_does_what_they_hold(
    web: WebServer, server: Server, browser: httpx.Client, node: Node
) -> None:
    friend = new_user(name="friend")
    with signed_in(web, friend) as client:
        assert client.get(path(server)).status_code == 404
        body = {"email": friend.email.upper(), "actions": ["settings.rename"]}
        made = browser.post(path(server, "/members"), json=body)
        assert made.status_code == 201, made.text
        assert made.json()["actions"] == ["servers.read", "settings.rename"]
        new_server(new_user(), node)
        assert [one["id"] for one in client.get("/api/v1/servers").json()["items"]] == [server.id]
        assert client.get(path(server)).status_code == 200
        assert client.patch(path(server), json={"name": "Ours"}).status_code == 200
        assert client.get(path(server, "/permissions")).json() == ["servers.read", "settings.rename"]
        for method, rest in (("POST", "/start"), ("DELETE", ""), ("GET", "/members"), ("GET", "/files")):
            assert client.request(method, path(server, rest)).status_code == 403, rest
        assert browser.delete(path(server, f"/members/{friend.id}")).status_code == 204
        assert client.get(path(server)).status_code == 404
        assert client.get("/api/v1/servers").json()["items"] == []


def test_presets_are_what_they_say(server: Server, browser: httpx.Client) -> None:
    presets = {one["name"]: set(one["actions"]) for one in browser.get("/api/v1/servers/presets").json()}
    assert list(presets) == ["viewer", "operator", "manager"]
    assert presets["viewer"] < presets["operator"] < presets["manager"]
    assert all(action.endswith(".read") for action in presets["viewer"])
    assert {"control.start", "control.kill", "console.write"} <= presets["operator"] - presets["viewer"]
    assert {"users.create", "settings.reinstall", "files.delete"} <= presets["manager"] - presets["operator"]
    assert "servers.delete" not in presets["manager"]
    friend = new_user()
    for name, actions in presets.items():
        Member.delete().execute()
        made = browser.post(path(server, "/members"), json={"email": friend.email, "preset": name}).json()
        assert (made["preset"], set(made["actions"])) == (name, actions)


def test_nobody_gives_or_takes_what_they_do_not_hold(web: WebServer, server: Server, browser: httpx.Client) -> None:
    helper, other, strong = new_user(), new_user(), new_user()
    mine = ["users.read", "users.create", "users.update", "users.delete", "console.read"]
    add_member(server, helper, *mine)
    add_member(server, strong, "control.start")
    with signed_in(web, helper) as client:
        beyond = {"email": other.email, "actions": ["control.start"]}
        assert code(client.post(path(server, "/members"), json=beyond)) == (403, "beyond_own")
        assert code(client.post(path(server, "/invitations"), json=beyond)) == (403, "beyond_own")
        manager = {"email": other.email, "preset": "manager"}
        assert code(client.post(path(server, "/members"), json=manager)) == (403, "beyond_own")
        own = {"email": other.email, "actions": ["console.read"]}
        assert client.post(path(server, "/members"), json=own).status_code == 201
        more = {"actions": ["console.read", "control.start"]}
        assert code(client.patch(path(server, f"/members/{other.id}"), json=more)) == (403, "beyond_own")
        assert code(client.patch(path(server, f"/members/{strong.id}"), json={"actions": []})) == (403, "beyond_own")
        assert code(client.delete(path(server, f"/members/{strong.id}"))) == (403, "beyond_own")
        assert code(client.patch(path(server, f"/members/{helper.id}"), json=more)) == (403, "own_membership")
        assert client.patch(path(server, f"/members/{other.id}"), json={"actions": []}).status_code == 200
        assert client.delete(path(server, f"/members/{other.id}")).status_code == 204
    assert browser.patch(path(server, f"/members/{strong.id}"), json={"preset": "manager"}).status_code == 200


def test_an_address_that_nobody_has_confirmed_needs_an_invitation(server: Server, browser: httpx.Client) -> None:
    """Whoever registers with somebody else's address is not who the owner means."""
    squatter = new_user(name="boss")
    User.update(pending_email=squatter.email).where(User.id == squatter.id).execute()
    body = {"email": squatter.email, "preset": "viewer"}
    unknown = browser.post(path(server, "/members"), json={**body, "email": "nobody@example.com"})
    answer = browser.post(path(server, "/members"), json=body)
    assert code(answer) == code(unknown) == (422, "no_account")
    assert answer.json()["detail"] == unknown.json()["detail"]
    assert browser.post(path(server, "/invitations"), json=body).status_code == 201
    User.update(pending_email=None).where(User.id == squatter.id).execute()
    assert browser.post(path(server, "/members"), json=body).status_code == 201


def test_the_owner_is_no_member_and_stays(server: Server, owner: User, browser: httpx.Client) -> None:
    listed = browser.get(path(server, "/members")).json()
    assert [(one["user"]["id"], one["owner"]) for one in listed] == [(owner.id, True)]
    assert code(browser.delete(path(server, f"/members/{owner.id}"))) == (409, "owner")
    assert code(browser.patch(path(server, f"/members/{owner.id}"), json={"actions": []})) == (409, "owner")
    assert code(browser.post(path(server, "/members"), json={"email": owner.email, "actions": []})) == (409, "owner")


def test_members_may_leave(web: WebServer, server: Server) -> None:
    friend = new_user()
    add_member(server, friend)
    with signed_in(web, friend) as client:
        assert client.delete(path(server, f"/members/{friend.id}")).status_code == 204
        assert client.get(path(server)).status_code == 404


def test_an_invitation_is_for_one_account_and_one_time(web: WebServer, server: Server, browser: httpx.Client) -> None:
    friend, other = new_user(), new_user()
    token = invite(browser, server, friend.email, preset="operator")
    assert token not in str(list(Invitation.select().dicts()))
    assert token not in browser.get(path(server, "/invitations")).text
    with signed_in(web, other) as thief:
        assert code(thief.post(ACCEPT, json={"token": token})) == (403, "other_account")
        assert thief.get(path(server)).status_code == 404
    with signed_in(web, friend) as client:
        shown = client.get("/invitations", params={"token": token})
        assert shown.status_code == 200 and server.name in shown.text
        joined = client.post(ACCEPT, json={"token": token})
        assert joined.status_code == 200 and joined.json()["server_id"] == server.id
        assert client.get(path(server)).status_code == 200
        assert code(client.post(ACCEPT, json={"token": token})) == (404, "link_invalid")
        assert browser.delete(path(server, f"/members/{friend.id}")).status_code == 204
        assert code(client.post(ACCEPT, json={"token": token})) == (404, "link_invalid")
    assert browser.get(path(server, "/invitations")).json() == []


def test_an_old_withdrawn_or_replaced_invitation_opens_nothing(
    web: WebServer, server: Server, browser: httpx.Client
) -> None:
    friend = new_user()
    replaced = invite(browser, server, friend.email)
    expired = invite(browser, server, friend.email)
    Invitation.update(expires_at=now() - timedelta(seconds=1)).execute()
    with signed_in(web, friend) as client:
        for token in (replaced, expired, "x"):
            assert code(client.post(ACCEPT, json={"token": token})) == (404, "link_invalid")
        withdrawn = invite(browser, server, friend.email)
        (waiting,) = browser.get(path(server, "/invitations")).json()
        assert browser.delete(path(server, f"/invitations/{waiting['id']}")).status_code == 204
        assert code(client.post(ACCEPT, json={"token": withdrawn})) == (404, "link_invalid")


def test_an_invitation_gives_only_what_its_maker_still_holds(web: WebServer, server: Server) -> None:
    helper, friend = new_user(), new_user()
    add_member(server, helper, "users.create", "console.read")
    with signed_in(web, helper) as client:
        token = invite(client, server, friend.email, actions=["console.read"])
    Member.update(actions=["servers.read", "users.create"]).where(Member.user == helper).execute()
    with signed_in(web, friend) as client:
        assert code(client.post(ACCEPT, json={"token": token})) == (409, "invitation_outdated")
        Member.update(actions=["servers.read", "users.create", "console.read"]).where(Member.user == helper).execute()
        users.suspend(helper.id)
        assert code(client.post(ACCEPT, json={"token": token})) == (409, "invitation_outdated")
        users.unsuspend(helper.id)
        assert client.post(ACCEPT, json={"token": token}).status_code == 200


def test_an_invitation_is_accepted_once_whatever_happens_at_the_same_time(
    web: WebServer, server: Server, browser: httpx.Client
) -> None:
    friend = new_user()
    token = invite(browser, server, friend.email)

    def accept(number: int) -> int:
        with signed_in(web, friend) as client:
            status = client.post(ACCEPT, json={"token": token}).status_code
        disconnect()
        return status

    assert sorted(together(6, accept)) == [200, *[404] * 5]
    assert Member.select().where(Member.server == server.id).count() == 1


def test_ids_of_another_server_reach_nothing(web: WebServer, server: Server, browser: httpx.Client, node: Node) -> None:
    other_owner, friend = new_user(), new_user()
    other = new_server(other_owner, node)
    add_member(other, friend, "control.start")
    with signed_in(web, other_owner) as theirs:
        invite(theirs, other, "somebody@example.com")
    invitation = Invitation.get()
    assert browser.delete(path(server, f"/members/{friend.id}")).status_code == 404
    assert browser.patch(path(server, f"/members/{friend.id}"), json={"actions": []}).status_code == 404
    assert browser.delete(path(server, f"/invitations/{invitation.id}")).status_code == 404
    for rest in ("/members", "/invitations", "/permissions"):
        assert browser.get(path(other, rest)).status_code == 404
    assert Member.select().where(Member.server == other.id).count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"actions": ["no.such"]},
        {"actions": ["accounts.manage"]},
        {"actions": None},
        {"preset": "king", "actions": None},
        {"preset": "viewer"},
        {"email": "nobody"},
        {"owner_id": "x"},
        {"is_admin": True},
        {"user_id": "x"},
    ],
)
def test_a_bad_grant_is_refused(server: Server, browser: httpx.Client, changes: dict[str, Any]) -> None:
    body = {"email": new_user().email, "actions": ["console.read"], **changes}
    for rest in ("/members", "/invitations"):
        assert browser.post(path(server, rest), json=body).status_code == 422, rest


def test_support_sees_every_server_and_changes_none(web: WebServer, server: Server) -> None:
    with signed_in(web, new_user("support")) as client:
        assert [one["id"] for one in client.get("/api/v1/servers").json()["items"]] == [server.id]
        assert client.get(path(server, "/members")).status_code == 200
        for method, rest, body in (("POST", "/start", None), ("DELETE", "", None), ("PATCH", "", {"name": "x"})):
            assert client.request(method, path(server, rest), json=body).status_code == 403


def test_a_custom_role_reaches_every_server_with_its_actions(web: WebServer, server: Server) -> None:
    Role.create(name="renamer", title="Renamer", actions=["servers.read", "settings.rename"])
    user = new_user("renamer")
    with signed_in(web, user) as client:
        assert client.patch(path(server), json={"name": "By role"}).status_code == 200
        assert client.post(path(server, "/start")).status_code == 403
        Role.update(actions=["servers.read"]).execute()
        assert client.patch(path(server), json={"name": "Again"}).status_code == 403


def test_a_list_of_shared_servers_takes_no_query_per_row(
    web: WebServer, owner: User, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    friend = new_user()
    ran: list[str] = []
    execute = database.obj.execute_sql

    def counted(sql: str, *args: Any, **options: Any) -> Any:
        if not sql.startswith("prepare "):
            ran.append(sql)
        return execute(sql, *args, **options)

    monkeypatch.setattr(database.obj, "execute_sql", counted)
    counts: list[int] = []
    with signed_in(web, friend) as client:
        for total in (3, 12):
            for _ in range(total - Server.select().count()):
                add_member(new_server(owner, node), friend)
            ran.clear()
            assert len(client.get("/api/v1/servers").json()["items"]) == total
            counts.append(len(ran))
    assert counts[0] == counts[1]
