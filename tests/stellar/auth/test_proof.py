"""What a session that somebody else has got hold of is not enough for, and how little it survives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pyotp
import pytest
import redis
from web_parts import PASSWORD, WebServer, sign_in

from stellar import audit
from stellar.auth import passwords, sessions, users
from stellar.auth.models import Identity, Key, Passkey, User
from stellar.auth.sessions import Session
from stellar.db import now

PROOF = "/api/v1/auth/proof"
NEW_KEY = {"name": "script", "scopes": ["accounts.read"]}


def changed(redis_url: str, token: str, change: Callable[[Session], Session]) -> None:
    """Let Redis hold another session for a cookie."""
    key = f"session:{sessions.token_hash(token)}"
    with redis.Redis.from_url(redis_url) as known:
        stored = msgspec.json.decode(known.get(key) or b"", type=Session)  # type: ignore[arg-type]
        known.set(key, msgspec.json.encode(change(stored)), keepttl=True)


def aged(client: httpx.Client, redis_url: str, **age: float) -> None:
    """Let a browser's session have begun some time ago."""
    then = now() - timedelta(**age)
    changed(redis_url, client.cookies["stellar_session"], lambda one: msgspec.structs.replace(one, created_at=then))


def linked(user: User) -> Identity:
    return Identity.create(user=user, provider="oidc", subject="1", name="elsewhere")


def passkey(user: User) -> Passkey:
    return Passkey.create(user=user, credential_id="x", public_key="x", sign_count=0, name="Laptop")


def by_email(email: str = "ada@example.com") -> User:
    found = users.by_email(email)
    assert found is not None
    return found


def make_key(client: httpx.Client) -> httpx.Response:
    return client.post("/api/v1/users/me/keys", json=NEW_KEY)


def test_an_older_session_has_to_prove_who_it_is_before_what_lasts(web: WebServer, redis_url: str) -> None:
    with web.signed_in(role="admin") as ada:
        identity, device = linked(by_email()), passkey(by_email())
        aged(ada, redis_url, minutes=16)
        asked: list[tuple[str, str, Any]] = [
            ("POST", "/api/v1/users/me/keys", NEW_KEY),
            ("POST", "/api/v1/users/me/identities/oidc", None),
            ("DELETE", f"/api/v1/users/me/identities/{identity.id}", None),
            ("DELETE", f"/api/v1/auth/passkeys/{device.id}", None),
        ]
        for method, url, body in asked:
            answer = ada.request(method, url, json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "proof_required"), url
        assert ada.post(PROOF, json={"password": "wrong"}).status_code == 403
        assert make_key(ada).json()["code"] == "proof_required"
        assert ada.post(PROOF, json={"password": PASSWORD}).status_code == 204
        assert audit.list_page(action="auth.proof").entries[0].actor_name == "ada@example.com"
        for method, url, body in asked:
            assert ada.request(method, url, json=body).status_code in (201, 204, 404), url
        with web.client() as other:
            sign_in(other, "ada@example.com")
            aged(other, redis_url, minutes=16)
            assert make_key(other).json()["code"] == "proof_required", "a proof is one session's"
    assert Key.select().count() == 1


def test_a_code_is_a_proof_once(web: WebServer, redis_url: str) -> None:
    with web.signed_in(role="admin") as ada:
        begun = ada.post("/api/v1/auth/second-factor/totp", json={"password": PASSWORD}).json()
        code = pyotp.TOTP(begun["secret"]).now()
        codes = ada.post("/api/v1/auth/second-factor/totp/confirm", json={"code": code}).json()["codes"]
        aged(ada, redis_url, minutes=16)
        assert ada.post(PROOF, json={"code": code}).json()["code"] == "bad_code"
        assert ada.post(PROOF, json={"code": codes[0]}).status_code == 204
        assert make_key(ada).status_code == 201
        assert ada.post(PROOF, json={"code": codes[0]}).json()["code"] == "bad_code"


@pytest.mark.parametrize("body", [{}, {"token": "x"}, {"credential": {}}], ids=["nothing", "token", "credential"])
def test_no_proof_at_all(web: WebServer, body: dict[str, Any]) -> None:
    with web.signed_in() as ada:
        assert ada.post(PROOF, json=body).status_code == 422
        forged = {"token": "x", "credential": {"id": "x"}}
        assert ada.post(PROOF, json=forged).status_code == 403


def test_a_copied_cookie_does_not_outlive_a_new_password(web: WebServer) -> None:
    with web.signed_in() as ada, web.client() as thief:
        thief.cookies.set("stellar_session", ada.cookies["stellar_session"])
        body = {"current": PASSWORD, "new": "a new passphrase"}
        assert ada.post("/api/v1/auth/password", json=body).status_code == 204
        assert thief.get("/api/v1/auth/session").status_code == 401
        assert ada.patch("/api/v1/users/me", json={"name": "Ada"}).status_code == 200, "pages keep their CSRF token"
        assert len(ada.get("/api/v1/auth/sessions").json()) == 1


def test_a_copied_cookie_does_not_outlive_a_second_factor(web: WebServer) -> None:
    with web.signed_in() as ada, web.client() as thief:
        thief.cookies.set("stellar_session", ada.cookies["stellar_session"])
        begun = ada.post("/api/v1/auth/second-factor/totp", json={"password": PASSWORD}).json()
        code = pyotp.TOTP(begun["secret"]).now()
        assert ada.post("/api/v1/auth/second-factor/totp/confirm", json={"code": code}).status_code == 200
        assert thief.get("/api/v1/auth/session").status_code == 401
        assert ada.get("/api/v1/auth/session").status_code == 200


def test_a_sign_in_under_way_does_not_outlive_a_new_password(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    user = users.create("ada@example.com", PASSWORD)
    create = sessions.create

    def overtaken(*args: Any, **options: Any) -> Any:
        monkeypatch.setattr(sessions, "create", create)
        users.set_password(user.id, passwords.hash_password("a new passphrase"))
        return create(*args, **options)

    monkeypatch.setattr(sessions, "create", overtaken)
    with web.client() as client:
        body = {"email": "ada@example.com", "password": PASSWORD}
        answer = client.post("/api/v1/auth/signin", json=body)
        assert (answer.status_code, answer.json()["code"]) == (401, "bad_credentials")
    assert sessions.list_for(user.id) == []


def test_a_session_ends_at_last_however_much_it_is_used(web: WebServer, redis_url: str) -> None:
    with web.signed_in() as ada, redis.Redis.from_url(redis_url) as known:
        token = ada.cookies["stellar_session"]
        aged(ada, redis_url, days=179)
        sessions.configure(30)
        assert ada.get("/api/v1/auth/session").status_code == 200
        assert 0 < int(known.ttl(f"session:{sessions.token_hash(token)}")) <= 86_400  # type: ignore[arg-type]


@pytest.mark.parametrize("kept", ["password", "passkey", "identity"])
def test_the_last_way_in_stays(web: WebServer, kept: str) -> None:
    with web.signed_in() as ada:
        user = by_email()
        identity, device = linked(user), passkey(user)
        if kept != "password":
            User.update(password_hash="").execute()
        one, two = f"/api/v1/users/me/identities/{identity.id}", f"/api/v1/auth/passkeys/{device.id}"
        first, last = (one, two) if kept == "passkey" else (two, one)
        assert ada.delete(first).status_code == 204
        answer = ada.delete(last)
        expected = (204, "") if kept == "password" else (409, "last_way_in")
        assert (answer.status_code, answer.json()["code"] if answer.content else "") == expected


@pytest.mark.parametrize("password", ["", "nobody has this password", PASSWORD], ids=["empty", "nobody's", "usual"])
def test_no_password_opens_an_account_without_one(password: str) -> None:
    assert not passwords.verify("", password)
    assert not passwords.verify(None, password)
