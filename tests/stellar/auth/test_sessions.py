"""Signing in and out, and what a cookie is worth."""

from __future__ import annotations

import hashlib
import json
from http.cookies import SimpleCookie
from pathlib import Path

import argon2
import httpx
import pytest
import redis
from web_parts import PASSWORD, WebServer, make_panel, running, sign_in

from stellar import audit
from stellar.auth import passwords, sessions, users
from stellar.auth.models import User


def session_of(client: httpx.Client) -> httpx.Response:
    return client.get("/api/v1/auth/session")


def store(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url)


def test_sign_in_begins_a_session(web: WebServer) -> None:
    user = users.create("Ada@Example.com", PASSWORD, "Ada")
    with web.client() as client:
        answer = sign_in(client, " ADA@example.COM ")
        assert answer["user"] == {
            "id": user.id,
            "email": "ada@example.com",
            "name": "Ada",
            "role": "user",
            "theme": "system",
            "locale": "en",
            "suspended": False,
            "created_at": answer["user"]["created_at"],
            "time_zone": "UTC",
        }
        again = session_of(client).json()
        assert again["user"] == answer["user"]
        assert again["csrf_token"] == answer["csrf_token"]
    assert [one.action for one in audit.list_page().entries] == ["auth.signin"]


def test_the_cookie_is_for_the_browser_alone(web: WebServer) -> None:
    users.create("ada@example.com", PASSWORD)
    with web.client() as client:
        answer = client.post("/api/v1/auth/signin", json={"email": "ada@example.com", "password": PASSWORD})
        morsel = SimpleCookie(answer.headers["set-cookie"])["stellar_session"]
        assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["secure"]) == (True, "Lax", "/", "")
        assert int(morsel["max-age"]) == 30 * 86_400
        assert morsel["domain"] == ""
        assert morsel.value not in answer.text


def test_redis_knows_only_the_hash_of_the_token(web: WebServer, redis_url: str) -> None:
    with web.signed_in() as client, store(redis_url) as known:
        token = client.cookies["stellar_session"]
        key = f"session:{hashlib.sha256(token.encode()).hexdigest()}"
        stored = known.get(key)
        assert isinstance(stored, bytes)
        assert json.loads(stored)["email"] == "ada@example.com"
        assert 0 < int(str(known.ttl(key))) <= 30 * 86_400
        assert not any(token.encode() in name for name in known.keys("*"))
        assert token.encode() not in stored


@pytest.mark.parametrize(
    ("email", "password"),
    [("ada@example.com", "wrong password"), ("nobody@example.com", PASSWORD), ("not an address", "x"), ("\ud83d", "x")],
)
def test_wrong_credentials_all_look_the_same(web: WebServer, email: str, password: str) -> None:
    users.create("ada@example.com", PASSWORD)
    with web.client() as client:
        text = json.dumps({"email": email, "password": password}, ensure_ascii=True)
        answer = client.post("/api/v1/auth/signin", content=text, headers={"Content-Type": "application/json"})
        if "\ud83d" in email:
            assert answer.status_code == 400
            return
        assert (answer.status_code, answer.json()["code"]) == (401, "bad_credentials")
        assert answer.json()["detail"] == "The e-mail address or the password is wrong."
        assert "set-cookie" not in answer.headers
        assert session_of(client).status_code == 401
    entry = audit.list_page(action="auth.signin_failed").entries[0]
    assert (entry.actor_kind, entry.address, entry.details) == ("anonymous", "127.0.0.1", {"email": email})


def test_an_unknown_address_costs_as_much() -> None:
    known = argon2.extract_parameters(passwords.hash_password(PASSWORD))
    assert argon2.extract_parameters(passwords.nobody()) == known
    assert known.type is argon2.Type.ID
    assert passwords.verify(None, PASSWORD) is False


@pytest.mark.parametrize(
    "body", [{"email": "a@b.c"}, {"email": 1, "password": "x"}, {"email": "a@b.c", "password": "x", "role": "admin"}]
)
def test_a_mistyped_sign_in(web: WebServer, body: dict[str, object]) -> None:
    with web.client() as client:
        assert client.post("/api/v1/auth/signin", json=body).status_code == 422


@pytest.mark.parametrize("cookie", ["", "forged", "a" * 43, "x" * 5000, "%00", "session:abc", "é"])
def test_a_forged_cookie_is_nobody(web: WebServer, cookie: str) -> None:
    with web.signed_in(), web.client() as client:
        answer = client.get("/api/v1/auth/session", headers={"Cookie": f"stellar_session={cookie}".encode()})  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_quotes_around_a_cookie_are_not_undone(web: WebServer) -> None:
    """Undoing them takes Python the square of their length: a header of 60 KiB kept everybody waiting for seconds."""
    with web.signed_in() as client, web.client() as other:
        token = client.cookies["stellar_session"]
        for sent, status in ((token, 200), (f'"{token}"', 401), (f'"\\{ord(token[0]):03o}{token[1:]}"', 401)):
            answer = other.get("/api/v1/auth/session", headers={"Cookie": f"a=b; stellar_session={sent} ;c"})
            assert answer.status_code == status, sent


def test_a_stolen_cookie_is_worthless_after_the_sign_out(web: WebServer) -> None:
    with web.signed_in() as client:
        stolen = {"Cookie": f"stellar_session={client.cookies['stellar_session']}"}
        with web.client() as thief:
            assert thief.get("/api/v1/auth/session", headers=stolen).status_code == 200
            answer = client.post("/api/v1/auth/signout")
            assert answer.status_code == 204
            assert "01 Jan 1970" in answer.headers["set-cookie"]
            assert thief.get("/api/v1/auth/session", headers=stolen).status_code == 401
        assert session_of(client).status_code == 401


def test_signing_out_needs_the_csrf_token(web: WebServer) -> None:
    with web.signed_in() as client:
        assert client.post("/api/v1/auth/signout", headers={"X-CSRF-Token": "wrong"}).status_code == 403
        assert session_of(client).status_code == 200


def test_signing_in_again_replaces_the_session(web: WebServer) -> None:
    with web.signed_in() as client:
        old = {"Cookie": f"stellar_session={client.cookies['stellar_session']}"}
        sign_in(client, "ada@example.com")
        with web.client() as other:
            assert other.get("/api/v1/auth/session", headers=old).status_code == 401
        assert session_of(client).status_code == 200


def test_a_suspended_users_sessions_die_at_once(web: WebServer) -> None:
    users.create("root@example.com", PASSWORD, role="admin")
    with web.signed_in() as one, web.signed_in() as two:
        user = users.by_email("ada@example.com")
        assert user is not None
        users.suspend(user.id)
        assert session_of(one).status_code == session_of(two).status_code == 401
        answer = one.post("/api/v1/auth/signin", json={"email": "ada@example.com", "password": PASSWORD})
        assert (answer.status_code, answer.json()["code"]) == (403, "suspended")
        users.unsuspend(user.id)
        sign_in(one, "ada@example.com")


def test_sessions_are_listed_and_ended_one_by_one(web: WebServer) -> None:
    with web.signed_in() as one, web.signed_in(headers={"User-Agent": "Other/1.0"}) as two:
        listed = one.get("/api/v1/auth/sessions").json()
        assert [(row["user_agent"].split("/")[0], row["current"]) for row in listed] == [
            ("Other", False),
            ("python-httpx", True),
        ]
        assert one.delete(f"/api/v1/auth/sessions/{listed[0]['id']}").status_code == 204
        assert session_of(two).status_code == 401
        assert session_of(one).status_code == 200
        assert one.delete(f"/api/v1/auth/sessions/{listed[0]['id']}").status_code == 404


def test_nobody_ends_another_users_session(web: WebServer) -> None:
    with web.signed_in("ada@example.com") as ada, web.signed_in("bob@example.com") as bob:
        theirs = bob.get("/api/v1/auth/sessions").json()[0]["id"]
        assert ada.delete(f"/api/v1/auth/sessions/{theirs}").status_code == 404
        assert session_of(bob).status_code == 200


def test_a_session_that_is_used_lives_on(web: WebServer, redis_url: str) -> None:
    with web.signed_in() as client, store(redis_url) as known:
        key = known.keys("session:*")[0]
        known.expire(key, 100)
        answer = session_of(client)
        assert int(str(known.ttl(key))) > 29 * 86_400
        assert "stellar_session" in answer.headers["set-cookie"]
        known.expire(key, 100)
        assert "set-cookie" not in session_of(client).headers
        assert int(str(known.ttl(key))) <= 100


def test_a_session_ends_after_its_time(web: WebServer, redis_url: str) -> None:
    with web.signed_in() as client, store(redis_url) as known:
        known.delete(known.keys("session:*")[0])
        assert session_of(client).status_code == 401
        user = users.by_email("ada@example.com")
        assert user is not None
        assert sessions.list_for(user.id) == []


def test_a_change_of_the_profile_is_seen_everywhere(web: WebServer) -> None:
    with web.signed_in() as one, web.signed_in() as two:
        answer = one.patch("/api/v1/users/me", json={"name": "Ada L.", "theme": "dark"})
        assert (answer.status_code, answer.json()["name"], answer.json()["theme"]) == (200, "Ada L.", "dark")
        for client in (one, two):
            assert session_of(client).json()["user"]["name"] == "Ada L."


@pytest.mark.parametrize(
    "change",
    [
        {"role": "admin"},
        {"id": "x"},
        {"password_hash": "x"},
        {"suspended_at": None},
        {"theme": "neon"},
        {"locale": "../etc"},
        {"name": ""},
        {"name": "a\nb"},
        {"name": "x" * 150},
        {"name": ["a"]},
    ],
)
def test_only_ones_own_preferences_can_be_changed(web: WebServer, change: dict[str, object]) -> None:
    with web.signed_in() as client:
        before = client.get("/api/v1/users/me").json()
        answer = client.patch("/api/v1/users/me", json=change)
        assert (answer.status_code, list(answer.json()["errors"])) == (422, list(change))
        assert client.get("/api/v1/users/me").json() == before


def test_a_role_reaches_the_sessions(web: WebServer) -> None:
    users.create("root@example.com", PASSWORD, role="admin")
    with web.signed_in() as client:
        user = users.by_email("ada@example.com")
        assert user is not None
        users.set_role(user.id, "admin")
        assert session_of(client).json()["user"]["role"] == "admin"


def test_an_older_change_never_gives_a_role_back(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with web.signed_in(role="admin") as client:
        user = users.by_email("ada@example.com")
        assert user is not None
        users.create("root@example.com", PASSWORD, role="admin")
        written = sessions._all

        def overtaken(user_id: str) -> list[tuple[str, sessions.Session]]:
            monkeypatch.setattr(sessions, "_all", written)
            users.set_role(user_id, "user")
            return written(user_id)

        monkeypatch.setattr(sessions, "_all", overtaken)
        users.update_profile(user.id, name="Countess")
        shown = session_of(client).json()["user"]
        assert (shown["name"], shown["role"]) == ("Countess", "user")


def test_a_new_password_ends_the_other_sessions(web: WebServer) -> None:
    with web.signed_in() as one, web.signed_in() as two:
        wrong = one.post("/api/v1/auth/password", json={"current": "nope", "new": "a new passphrase"})
        assert (wrong.status_code, wrong.json()["code"]) == (403, "bad_credentials")
        short = one.post("/api/v1/auth/password", json={"current": PASSWORD, "new": "short"})
        assert short.status_code == 422
        assert (
            one.post("/api/v1/auth/password", json={"current": PASSWORD, "new": "a new passphrase"}).status_code == 204
        )
        assert (session_of(one).status_code, session_of(two).status_code) == (200, 401)
        sign_in(two, "ada@example.com", "a new passphrase")


def test_an_old_hash_is_renewed_at_the_sign_in(web: WebServer) -> None:
    user = users.create("ada@example.com", PASSWORD)
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    User.update(password_hash=weak).where(User.id == user.id).execute()
    with web.client() as client:
        sign_in(client, "ada@example.com")
    renewed = users.get(user.id).password_hash
    assert renewed != weak and not passwords.outdated(renewed)


def test_without_redis_it_is_503(tmp_path: Path) -> None:
    panel = make_panel(tmp_path, f"unix://{tmp_path}/nowhere.sock")
    users.create("ada@example.com", PASSWORD)
    with running(panel) as server, server.client() as client:
        assert client.get("/healthz").json()["checks"] == {"database": "ok", "redis": "failing"}
        body = {"email": "ada@example.com", "password": PASSWORD}
        for answer in (
            client.post("/api/v1/auth/signin", json=body),
            client.get("/api/v1/auth/session", headers={"Cookie": "stellar_session=abc"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "redis_unavailable")
