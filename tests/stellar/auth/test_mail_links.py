"""Forgotten passwords and new addresses: mails through a real SMTP server, written by a real worker."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.message import Message
from pathlib import Path

import pytest
import redis
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from aiosmtpd.smtp import AuthResult, LoginPassword
from web_parts import PASSWORD, WebServer, make_panel, running, sign_in

from stellar import audit, settings
from stellar.auth import jobs, lockout, resets, signups, users
from stellar.auth.models import Link, User
from stellar.auth.permissions import SYSTEM
from stellar.db import now
from stellar.testing.waiting import wait_until

FORGOT = "/api/v1/auth/password/forgot"
RESET = "/api/v1/auth/password/reset"
SIGN_UP = "/api/v1/auth/signup"
NEW = "an entirely new passphrase"


class Inbox(MessageHandler):
    """Keeps what arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[Message] = []

    def handle_message(self, message: Message) -> None:
        self.mails.append(message)

    def to(self, address: str) -> list[str]:
        return [str(mail.get_payload(decode=True), "utf-8") for mail in self.mails if mail["To"] == address]

    def link_to(self, address: str, path: str, count: int = 1) -> str:
        """The token of the newest mail to an address, once there are so many."""
        wait_until(lambda: len(self.to(address)) >= count, timeout=20, what=f"mail to {address}")
        found = re.search(rf"https://panel\.example{path}\?token=(\S+)", self.to(address)[-1])
        assert found is not None, self.to(address)[-1]
        return found[1]


def authenticate(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
    right = LoginPassword(b"panel", b"smtp secret")
    return AuthResult(success=data == right)


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    """A mail server that wants a password."""
    handler = Inbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(
        handler, "127.0.0.1", port, authenticator=authenticate, auth_required=True, auth_require_tls=False
    )
    controller.start()
    yield handler, port
    controller.stop()


@pytest.fixture
def mailing(
    tmp_path: Path, redis_url: str, database_url: str, inbox: tuple[Inbox, int]
) -> Iterator[tuple[WebServer, Inbox]]:
    """A panel with a mail server and a worker."""
    mail = {"host": "127.0.0.1", "port": inbox[1], "username": "panel", "password": "smtp secret", "tls": "none"}
    data = tmp_path / "data"
    web = {"public_url": "https://panel.example"}
    panel = make_panel(data, redis_url, database={"url": database_url}, mail=mail, web=web)
    environment = {
        **os.environ,
        "STELLAR_DATABASE_URL": database_url,
        "STELLAR_REDIS_URL": redis_url,
        "STELLAR_WEB_PUBLIC_URL": web["public_url"],
        **{f"STELLAR_MAIL_{key.upper()}": str(value) for key, value in mail.items()},
    }
    command = [sys.executable, "-m", "stellar", "worker", "--data", str(data)]
    worker = subprocess.Popen(command, env=environment)
    try:
        with running(panel) as server:
            yield server, inbox[0]
    finally:
        worker.terminate()
        worker.wait(20)


def test_a_forgotten_password(mailing: tuple[WebServer, Inbox]) -> None:
    web, inbox = mailing
    with web.signed_in() as ada, web.client() as client:
        answer = client.post(FORGOT, json={"email": " ADA@example.com"})
        assert answer.status_code == 202, answer.text
        unknown = client.post(FORGOT, json={"email": "nobody@example.com"})
        assert (unknown.status_code, unknown.json()) == (202, answer.json())
        token = inbox.link_to("ada@example.com", "/auth/reset")
        assert "stellar@panel.example" in inbox.mails[0]["From"]
        page = client.get("/auth/reset", params={"token": token})
        assert (page.status_code, page.headers["Referrer-Policy"]) == (200, "no-referrer")
        assert client.post(RESET, json={"token": token, "password": "short"}).status_code == 422
        assert client.post(RESET, json={"token": token, "password": NEW}).status_code == 204
        assert ada.get("/api/v1/auth/session").status_code == 401
        again = client.post(RESET, json={"token": token, "password": PASSWORD})
        assert (again.status_code, again.json()["code"]) == (404, "link_invalid")
        sign_in(client, "ada@example.com", NEW)
        actions = [one["action"] for one in client.get("/api/v1/users/me/activity").json()["entries"]]
        assert actions[:2] == ["auth.signin", "auth.password_reset"]
    assert not inbox.to("nobody@example.com")
    assert not Link.select().where(Link.token_hash == token).exists()


def test_signing_up_tells_nobody_whether_there_is_an_account(mailing: tuple[WebServer, Inbox]) -> None:
    web, inbox = mailing
    settings.put(SYSTEM, settings.OPEN_REGISTRATION, True)
    taken = users.create("ada@example.com", PASSWORD)
    with web.client() as client:
        told = [
            client.post(SIGN_UP, json={"email": email, "password": NEW, "name": "Eve"})
            for email in ("ADA@example.com", "new@example.com")
        ]
        assert [(one.status_code, one.json()) for one in told] == [(201, told[0].json())] * 2
        assert not any("set-cookie" in one.headers for one in told)
        token = inbox.link_to("new@example.com", "/auth/signup/finish")
        wait_until(lambda: inbox.to("ada@example.com"), timeout=20, what="mail to the owner")
        assert "has one already" in inbox.to("ada@example.com")[0]
        assert "token=" not in inbox.to("ada@example.com")[0]
        for email in ("ada@example.com", "new@example.com"):
            refused = client.post("/api/v1/auth/signin", json={"email": email, "password": NEW})
            assert (refused.status_code, refused.json()["code"]) == (401, "bad_credentials"), email
        assert users.get(taken.id).password_hash == taken.password_hash
        page = client.get("/auth/signup/finish", params={"token": token})
        assert "new@example.com" in page.text and page.headers["Referrer-Policy"] == "no-referrer"
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(lambda _: client.post(f"{SIGN_UP}/finish", json={"token": token}), range(4)))
        assert sorted(one.status_code for one in made) == [201, 404, 404, 404]
        me = next(one for one in made if one.status_code == 201).json()["user"]
        assert (me["email"], me["name"], me["role"]) == ("new@example.com", "Eve", "user")
        assert users.get(me["id"]).email_verified_at is not None
        assert client.get("/api/v1/auth/session").json()["user"]["id"] == me["id"]
        assert client.get("/auth/signup/finish", params={"token": token}).status_code == 404


@pytest.mark.parametrize(
    ("wanted", "target"),
    [("/invitations/abc?a=1", "/invitations/abc?a=1"), ("", "/dashboard"), ("https://evil.example/", "/dashboard")],
)
def test_the_mailed_link_leads_where_one_wanted_to_go(
    mailing: tuple[WebServer, Inbox], wanted: str, target: str
) -> None:
    web, inbox = mailing
    settings.put(SYSTEM, settings.OPEN_REGISTRATION, True)
    with web.client() as client:
        form = client.get("/auth/signup", params={"next": target}).text
        assert f'<input type="hidden" name="next" value="{target}">' in form
        body = {"email": "new@example.com", "password": NEW, "next": wanted}
        assert client.post(SIGN_UP, json=body).status_code == 201
        token = inbox.link_to("new@example.com", "/auth/signup/finish")
        assert f'data-next="{target}"' in client.get("/auth/signup/finish", params={"token": token}).text
        assert client.post(SIGN_UP, json={**body, "next": "/" * 3000}).status_code == 422


def test_a_link_to_a_new_account_ends(tmp_path: Path, redis_url: str) -> None:
    """With its time, with registration, and with the address's being taken."""
    panel = make_panel(tmp_path, redis_url, mail={"host": "127.0.0.1", "port": 1})
    waiting = signups.Pending("new@example.com", "New", "")
    with running(panel) as web, web.client() as client, redis.Redis.from_url(redis_url, decode_responses=True) as known:

        def finish(token: str) -> tuple[int, str]:
            answer = client.post(f"{SIGN_UP}/finish", json={"token": token})
            return answer.status_code, answer.json()["code"]

        token = signups.link_for(panel.config, waiting).partition("token=")[2]
        (key,) = known.keys("signup:*")
        assert token not in key and 0 < int(str(known.ttl(key))) <= 86_400
        assert finish(token) == (403, "registration_closed")
        settings.put(SYSTEM, settings.OPEN_REGISTRATION, True)
        assert finish(key.removeprefix("signup:")) == (404, "link_invalid")
        users.create("new@example.com", PASSWORD)
        assert finish(token) == (409, "email_taken")
        assert finish(token) == (404, "link_invalid")
        refused = client.post(SIGN_UP, json={"email": "a@b.c", "password": PASSWORD, "role": "admin"})
        assert refused.status_code == 422
        asked = [client.post(SIGN_UP, json={"email": "a@b.c", "password": PASSWORD}).status_code for _ in range(6)]
        assert asked == [201] * lockout.MAILS.uses + [429]


def test_a_new_address_counts_once_it_is_confirmed(mailing: tuple[WebServer, Inbox]) -> None:
    web, inbox = mailing
    with web.signed_in() as ada, web.client() as client:
        old_link, _ = resets.link_for(web.panel.config, ada.get("/api/v1/users/me").json()["id"])
        body = {"email": "Lovelace@example.com", "password": PASSWORD}
        answer = ada.patch("/api/v1/users/me", json=body).json()
        assert (answer["email"], answer["pending_email"]) == ("ada@example.com", "lovelace@example.com")
        token = inbox.link_to("lovelace@example.com", "/auth/confirm")
        assert "lovelace@example.com" in client.get("/auth/confirm", params={"token": token}).text
        assert client.post("/api/v1/auth/email/confirm", json={"token": token}).status_code == 204
        assert client.post("/api/v1/auth/email/confirm", json={"token": token}).status_code == 404
        me = ada.get("/api/v1/users/me").json()
        assert (me["email"], me["email_verified"], me["pending_email"]) == ("lovelace@example.com", True, None)
        assert ada.get("/api/v1/auth/session").json()["user"]["email"] == "lovelace@example.com"
        stale = client.post(RESET, json={"token": old_link.partition("token=")[2], "password": NEW})
        assert stale.status_code == 404
    wait_until(lambda: inbox.to("ada@example.com"), timeout=20, what="the mail to the old address")


def test_an_address_that_is_taken_shows_only_to_its_owner(mailing: tuple[WebServer, Inbox]) -> None:
    web, inbox = mailing
    users.create("bob@example.com", PASSWORD)
    with web.signed_in() as ada:
        free = ada.patch("/api/v1/users/me", json={"email": "free@example.com", "password": PASSWORD})
        first = inbox.link_to("free@example.com", "/auth/confirm")
        taken = ada.patch("/api/v1/users/me", json={"email": "bob@example.com", "password": PASSWORD})
        assert (free.status_code, taken.status_code) == (200, 200)
        token = inbox.link_to("bob@example.com", "/auth/confirm")
        assert ada.post("/api/v1/auth/email/confirm", json={"token": first}).status_code == 404
        answer = ada.post("/api/v1/auth/email/confirm", json={"token": token})
        assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")
        assert ada.get("/api/v1/users/me").json()["email"] == "ada@example.com"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"email": "new@example.com"}, 422),
        ({"email": "new@example.com", "password": "wrong"}, 403),
        ({"email": "no address", "password": PASSWORD}, 422),
        ({"email": "new@example.com\nBcc: all@example.com", "password": PASSWORD}, 422),
        ({"time_zone": "Mars/Olympus"}, 422),
        ({"time_zone": "../../etc/passwd"}, 422),
        ({"role": "admin"}, 422),
        ({"is_admin": True}, 422),
        ({"email_verified": True}, 422),
        ({"pending_email": "x@example.com"}, 422),
    ],
)
def test_changes_that_are_refused(web: WebServer, body: dict[str, object], status: int) -> None:
    with web.signed_in() as ada:
        before = ada.get("/api/v1/users/me").json()
        assert ada.patch("/api/v1/users/me", json=body).status_code == status
        assert ada.get("/api/v1/users/me").json() == before


def test_preferences(web: WebServer) -> None:
    with web.signed_in() as ada:
        body = {"name": "Countess", "locale": "pt-BR", "time_zone": "Europe/Lisbon", "theme": "dark"}
        assert ada.patch("/api/v1/users/me", json=body).status_code == 200
        assert ada.get("/api/v1/users/me").json().items() >= body.items()
        assert ada.get("/api/v1/auth/session").json()["user"].items() >= body.items()


def test_without_mail_an_administrator_makes_the_link(web: WebServer) -> None:
    with web.signed_in() as ada, web.signed_in("root@example.com", "admin") as root, web.client() as client:
        me = ada.get("/api/v1/users/me").json()["id"]
        refused = client.post(FORGOT, json={"email": "ada@example.com"})
        assert (refused.status_code, refused.json()["code"]) == (409, "mail_off")
        assert client.post(FORGOT, json={"email": "nobody@example.com"}).json()["code"] == "mail_off"
        assert ada.post(f"/api/v1/admin/users/{me}/reset-link").status_code == 403
        first = root.post(f"/api/v1/admin/users/{me}/reset-link").json()["url"].partition("token=")[2]
        answer = root.post(f"/api/v1/admin/users/{me}/reset-link")
        assert answer.status_code == 201
        token = answer.json()["url"].partition("token=")[2]
        assert client.post(RESET, json={"token": first, "password": NEW}).status_code == 404
        assert client.post(RESET, json={"token": token, "password": NEW}).status_code == 204
        assert root.get("/api/v1/auth/session").status_code == 200
        sign_in(client, "ada@example.com", NEW)
        assert root.post(f"/api/v1/admin/users/{me}/confirm-email").status_code == 200
        assert client.get("/api/v1/users/me").json()["email_verified"] is True
        assert root.post(f"/api/v1/admin/users/{me}/confirm-email").status_code == 409
        client.patch("/api/v1/users/me", json={"email": "new@example.com", "password": NEW})
        assert client.post(f"/api/v1/admin/users/{me}/confirm-email").status_code == 403
        assert root.post(f"/api/v1/admin/users/{me}/confirm-email").json()["email"] == "new@example.com"
        assert root.post("/api/v1/admin/users/nobody/reset-link").status_code == 404


def test_a_reset_link_is_good_for_its_purpose_once_and_for_an_hour(web: WebServer) -> None:
    user = users.create("ada@example.com", PASSWORD)
    url, until = resets.link_for(web.panel.config, user.id)
    assert until - now() <= timedelta(hours=1)
    token = url.partition("token=")[2]
    with web.client() as client:
        assert client.post("/api/v1/auth/email/confirm", json={"token": token}).status_code == 404
        setup = {"token": token, "email": "x@example.com", "password": NEW}
        assert client.post("/api/v1/auth/setup", json=setup).status_code == 409

        def use(number: int) -> int:
            with web.client() as other:
                return other.post(RESET, json={"token": token, "password": f"{NEW} {number}"}).status_code

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(use, range(4))) == [204, 404, 404, 404]
        token = resets.link_for(web.panel.config, user.id)[0].partition("token=")[2]
        Link.update(expires_at=now() - timedelta(seconds=1)).where(Link.used_at.is_null()).execute()
        assert client.post(RESET, json={"token": token, "password": NEW}).status_code == 404
        token = resets.link_for(web.panel.config, user.id)[0].partition("token=")[2]
        users.set_password(user.id, User.get_by_id(user.id).password_hash)
        assert client.post(RESET, json={"token": token, "password": NEW}).status_code == 404


def test_asking_does_the_same_whether_or_not_there_is_an_account(tmp_path: Path, redis_url: str) -> None:
    """Nothing but the enqueued address differs: no lookup in between, hence no time to measure."""
    with running(make_panel(tmp_path, redis_url, mail={"host": "127.0.0.1", "port": 1})) as web, web.client() as client:
        users.create("ada@example.com", PASSWORD)
        answers = []
        for email in ("ada@example.com", "nobody@example.com", "no address at all"):
            told = [client.post(FORGOT, json={"email": email}) for _ in range(lockout.MAILS.uses + 1)]
            answers.append([(one.status_code, one.json().get("detail", "")[:30]) for one in told])
        assert answers[0] == answers[1] == answers[2]
        assert [status for status, _ in answers[0]] == [202] * lockout.MAILS.uses + [429]
        assert not Link.select().exists()
        assert not audit.list_page(action="auth.password_reset").entries


def test_a_suspended_account_gets_no_mail(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    user = users.create("ada@example.com", PASSWORD)
    users.suspend(user.id)
    jobs.mail_reset("ada@example.com")
    jobs.mail_reset("nobody@example.com")
    assert not Link.select().exists()


def test_own_activity_is_paged_and_ones_own(web: WebServer) -> None:
    with web.signed_in() as ada, web.signed_in("bob@example.com") as bob:
        for theme in ("dark", "light", "system"):
            ada.patch("/api/v1/users/me", json={"theme": theme})
        first = ada.get("/api/v1/users/me/activity", params={"limit": 2}).json()
        second = ada.get("/api/v1/users/me/activity", params={"limit": 2, "before": first["next"]}).json()
        actions = [one["action"] for one in first["entries"] + second["entries"]]
        assert actions == ["user.change_profile"] * 3 + ["auth.signin"]
        assert second["next"] is None
        assert [one["action"] for one in bob.get("/api/v1/users/me/activity").json()["entries"]] == ["auth.signin"]
        for bad in ({"limit": 0}, {"limit": "all"}, {"before": "x"}, {"before": 2**70}, {"before": -1}):
            assert ada.get("/api/v1/users/me/activity", params=bad).status_code == 422, json.dumps(bad)
