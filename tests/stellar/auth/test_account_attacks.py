"""Attacks on accounts that need more than one step: over links, addresses, limits and administrators' tools."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from event_client import following
from web_parts import PASSWORD, WebServer, make_panel, running, sign_in

from stellar import settings
from stellar.auth import emails, jobs, keys, links, lockout, roles, users
from stellar.auth.models import Link, User
from stellar.auth.permissions import SYSTEM
from stellar.errors import NotFound

FORGOT = "/api/v1/auth/password/forgot"
SIGN_UP = "/api/v1/auth/signup"


def waiting(user: User, email: str, panel: WebServer) -> str:
    """The token of the link that confirms a new address."""
    emails.change(roles.actor_of_user(user), panel.panel.config, user.id, email)
    url, address = emails.link_for(panel.panel.config, user.id)
    assert address == email
    return parse_qs(urlsplit(url).query)["token"][0]


def test_a_new_password_forgets_the_address_that_a_thief_asked_for(web: WebServer) -> None:
    user = users.create("ada@example.com", PASSWORD)
    token = waiting(user, "thief@example.com", web)
    users.set_password(user.id, user.password_hash)
    with web.client() as client:
        assert client.post("/api/v1/auth/email/confirm", json={"token": token}).status_code == 404
    assert users.get(user.id).pending_email is None
    with pytest.raises(NotFound):
        links.find(links.EMAIL, token)


def test_a_new_password_leaves_the_first_confirmation(web: WebServer) -> None:
    user = users.create("ada@example.com", PASSWORD)
    token = waiting(user, "ada@example.com", web)
    users.set_password(user.id, user.password_hash)
    with web.client() as client:
        assert client.post("/api/v1/auth/email/confirm", json={"token": token}).status_code == 204
    assert users.get(user.id).email_verified_at is not None


def test_a_confirmation_goes_to_the_address_that_it_confirms(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    user = users.create("eve@example.com", PASSWORD)
    actor, config = roles.actor_of_user(user), web.panel.config
    emails.change(actor, config, user.id, "eves-own@example.com")
    get, sent = users.get, []

    def overtaken(user_id: str) -> User:
        monkeypatch.setattr(users, "get", get)
        found = get(user_id)
        emails.change(actor, config, user_id, "boss@example.com")
        return found

    monkeypatch.setattr(jobs, "_config", lambda: config)
    monkeypatch.setattr(jobs, "_send", lambda to, subject, text: sent.append(to))
    monkeypatch.setattr(users, "get", overtaken)
    jobs.mail_confirm(user.id)
    assert [(row.email, row.user_id) for row in Link.select()] == [("boss@example.com", user.id)]
    assert sent == ["boss@example.com"]


def test_nobody_has_the_panel_mail_all_the_world(tmp_path: Path, redis_url: str) -> None:
    with running(make_panel(tmp_path, redis_url, mail={"host": "127.0.0.1", "port": 1})) as web, web.signed_in() as ada:
        allowed = lockout.NEW_ADDRESSES.uses
        statuses = [
            ada.patch("/api/v1/users/me", json={"email": f"x{number}@example.com", "password": PASSWORD}).status_code
            for number in range(allowed + 1)
        ]
        assert statuses == [200] * allowed + [429]


def test_many_cannot_flood_a_mailbox_with_reset_links(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = make_panel(
        tmp_path, redis_url, mail={"host": "127.0.0.1", "port": 1}, web={"trusted_proxies": ["127.0.0.1"]}
    )
    queued: list[object] = []
    monkeypatch.setattr("stellar.jobs.enqueue", lambda *args, **options: queued.append(args))
    with running(panel) as web, web.client() as client:
        allowed = lockout.MAILS_FROM_ANYWHERE.uses
        for number in range(allowed + 3):
            where = {"X-Forwarded-For": f"203.0.113.{number}"}
            assert client.post(FORGOT, json={"email": "ada@example.com"}, headers=where).status_code == 202
    assert len(queued) == allowed


def test_each_new_account_begins_no_new_count(web: WebServer) -> None:
    settings.put(SYSTEM, settings.OPEN_REGISTRATION, True)
    with web.client() as client:
        statuses = []
        for number in range(11):
            body = {"email": f"eve{number}@example.com", "password": PASSWORD}
            statuses.append(client.post(SIGN_UP, json=body).status_code)
        assert "stellar_session" in client.cookies
    assert statuses == [201] * 10 + [429]


def test_administrators_tools_are_not_for_ones_own_account(web: WebServer) -> None:
    """A session of an administrator's that somebody took over would become the account itself."""
    with web.signed_in("root@example.com", "admin") as root:
        me = root.get("/api/v1/users/me").json()["id"]
        for method, what in (("POST", "reset-link"), ("DELETE", "second-factor")):
            answer = root.request(method, f"/api/v1/admin/users/{me}/{what}")
            assert (answer.status_code, answer.json()["code"]) == (409, "own_account")
    assert not Link.select().exists()


def test_suspending_ends_what_a_key_has_open(web: WebServer) -> None:
    owner = users.create("ada@example.com", PASSWORD, role="admin")
    users.create("root@example.com", PASSWORD, role="admin")
    key = keys.create(roles.actor_of_user(owner), "script", ["accounts.read"], None, [])
    with following(web, key.token) as follower:
        users.suspend(owner.id)
        assert follower.ends() == ("suspended", 4403)


def test_an_international_domain_is_one_address_however_it_is_written(web: WebServer) -> None:
    made = users.create("ada@B\u00dcCHER.example", PASSWORD)
    assert made.email == "ada@xn--bcher-kva.example"
    assert users.fold_email("JOS\u00c9") == "jos\u00e9", "a part of an address, as in a search"
    with web.client() as client:
        sign_in(client, "ada@b\u00fccher.example")
        sign_in(client, "ADA@xn--bcher-kva.example")
        look_alike = users.create("root@ex\u0430mple.com", PASSWORD)
        assert look_alike.email == "root@xn--exmple-4nf.com"


@pytest.mark.parametrize("email", ["a@b..c", "a@.b", "a@b.", f"a@{'b' * 64}.c", "a@b\u200bc.d", "a\u200b@b.c", "a@b c"])
def test_what_is_no_address(web: WebServer, email: str) -> None:
    with web.signed_in() as ada:
        answer = ada.patch("/api/v1/users/me", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 422, answer.text
