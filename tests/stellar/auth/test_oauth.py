"""Signing in through OpenID Connect, with a real provider; and what isn't believed."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
import redis
from oidc_provider_mock import User as ProviderUser
from oidc_provider_mock import run_server_in_thread
from web_parts import PASSWORD, WebServer, make_panel, running

from stellar import audit
from stellar.auth import providers, users
from stellar.auth.models import Identity, User
from stellar.config import OAuthSettings, ProviderSettings
from stellar.db import now

START = "/api/v1/auth/oauth/oidc"
LINK = "/api/v1/users/me/identities"
LONG_SUBJECT = "x" * 256


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The issuer of an OpenID Connect provider."""
    people = [
        ProviderUser(sub="1", claims={"email": "ada@example.com", "email_verified": True, "name": "Ada"}),
        ProviderUser(sub="2", claims={"email": "ada@example.com", "email_verified": False, "name": "Mallory"}),
        ProviderUser(sub="3", claims={"name": "Nobody"}),
        ProviderUser(sub="4", claims={"email": "\u017fam@example.com", "email_verified": True}),
        ProviderUser(sub="5", claims={"email": "eve@example.com", "email_verified": True, "name": "E\u202eve\n"}),
        ProviderUser(sub=LONG_SUBJECT, claims={"email": "long@example.com", "email_verified": True}),
    ]
    with run_server_in_thread(user_claims=people, require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def web(tmp_path: Path, redis_url: str, database_url: str, provider: str) -> Iterator[WebServer]:
    """A panel that knows the provider."""
    oauth = {
        "oidc": {"issuer": provider, "client_id": "stellar", "client_secret": "secret", "label": "Example"},
        "github": {"client_id": "of-github", "client_secret": "secret"},
    }
    panel = make_panel(tmp_path / "data", redis_url, database={"url": database_url}, oauth=oauth)
    with running(panel) as server:
        yield server


def consent(url: str, subject: str) -> str:
    """Sign in at the provider; the address that it sends the browser back to."""
    answer = httpx.post(url, data={"sub": subject}, trust_env=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def sign_in(client: httpx.Client, subject: str, start: str = START) -> httpx.Response:
    begun = client.post(start, json={"next": "/settings"} if start == START else None)
    assert begun.status_code == 200, begun.text
    return client.get(consent(begun.json()["url"], subject))


def verified(email: str = "ada@example.com") -> User:
    made = users.create(email, PASSWORD)
    User.update(email_verified_at=now()).where(User.id == made.id).execute()
    return users.get(made.id)


def who(client: httpx.Client) -> Any:
    return client.get("/api/v1/auth/session").json().get("user", {}).get("email")


def test_signing_in_with_a_verified_address(web: WebServer) -> None:
    verified()
    with web.client() as client:
        assert {one["name"] for one in client.get("/api/v1/auth/oauth").json()} == {"oidc", "github"}
        assert "Sign in with Example" in client.get("/auth/signin").text
        begun = client.post(START, json={"next": "/settings"})
        asked = parse_qs(urlsplit(begun.json()["url"]).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert {"state", "nonce", "code_challenge"} <= set(asked)
        assert asked["redirect_uri"] == [f"{web.url}/auth/oauth/oidc/callback"]
        assert "httponly" in begun.headers["set-cookie"].lower()
        answer = client.get(consent(begun.json()["url"], "1"))
        assert (answer.status_code, answer.headers["Location"]) == (303, "/settings"), answer.text
        assert who(client) == "ada@example.com"
        (linked,) = client.get(LINK).json()
        assert (linked["provider"], linked["name"]) == ("oidc", "ada@example.com")
        (noted,) = audit.list_page(action="auth.identity_linked").entries
        assert (noted.actor_name, noted.address) == ("ada@example.com", "127.0.0.1")
    User.update(email="other@example.com").execute()
    with web.client() as client:
        sign_in(client, "1")
        assert who(client) == "other@example.com", "what counts is the subject, not the address"


def test_the_challenge_is_that_of_the_verifier_that_is_kept(web: WebServer, redis_url: str) -> None:
    with web.client() as client, redis.Redis.from_url(redis_url, decode_responses=True) as known:
        url = client.post(START, json={}).json()["url"]
        (key,) = known.keys("oauth:*")
        asked = parse_qs(urlsplit(url).query)
        assert asked["state"][0] not in key
        kept = json.loads(str(known.get(key)))
        digest = base64.urlsafe_b64encode(hashlib.sha256(kept["verifier"].encode()).digest()).decode().rstrip("=")
        assert asked["code_challenge"] == [digest]
        assert kept["verifier"] not in url


@pytest.mark.parametrize(("subject", "confirmed"), [("2", True), ("1", False), ("3", True)])
def test_an_address_that_somebody_has_not_verified_links_nothing(web: WebServer, subject: str, confirmed: bool) -> None:
    made = verified()
    if not confirmed:
        User.update(email_verified_at=None).where(User.id == made.id).execute()
    with web.client() as client:
        assert sign_in(client, subject).status_code == 403
        assert who(client) is None
    assert not Identity.select().exists()


def test_a_look_alike_of_an_address_is_somebody_else(web: WebServer) -> None:
    """Mail for a long s goes to another mailbox, and so does its account elsewhere."""
    verified("sam@example.com")
    with web.client() as client:
        assert sign_in(client, "4").status_code == 403
        assert who(client) is None
    assert not Identity.select().exists()


def test_a_subject_is_whole_or_refused(web: WebServer) -> None:
    with web.signed_in("bob@example.com") as bob:
        assert sign_in(bob, LONG_SUBJECT, f"{LINK}/oidc").status_code == 422
    assert not Identity.select().exists()


def test_linking_to_the_signed_in_account_and_unlinking(web: WebServer) -> None:
    with web.signed_in("bob@example.com") as bob, web.signed_in("eve@example.com") as eve, web.client() as client:
        assert sign_in(bob, "3", f"{LINK}/oidc").headers["Location"] == "/settings"
        assert sign_in(client, "3").status_code == 303
        assert who(client) == "bob@example.com"
        assert sign_in(eve, "3", f"{LINK}/oidc").status_code == 409
        (linked,) = bob.get(LINK).json()
        assert eve.delete(f"{LINK}/{linked['id']}").status_code == 404
        assert bob.delete(f"{LINK}/{linked['id']}").status_code == 204
        client.cookies.clear()
        assert sign_in(client, "3").status_code == 403


def test_a_return_counts_once_and_in_the_browser_that_set_out(web: WebServer) -> None:
    verified()
    with web.client() as client, web.client() as other:
        back = consent(client.post(START, json={}).json()["url"], "1")
        other.post(START, json={})
        assert other.get(back).status_code == 403, "another browser's sign-in"
        assert client.get(back).status_code == 403, "and it is used up by that"
        back = consent(client.post(START, json={}).json()["url"], "1")
        assert client.get(back).status_code == 303
        assert client.get(back).status_code == 403
        assert who(other) is None


def test_linking_is_for_the_session_that_began_it(web: WebServer) -> None:
    with web.signed_in("bob@example.com") as bob, web.signed_in("eve@example.com") as eve:
        back = consent(bob.post(f"{LINK}/oidc").json()["url"], "3")
        bob.cookies.set("stellar_session", eve.cookies["stellar_session"], domain="127.0.0.1")
        for cookie in [one for one in bob.cookies.jar if one.name == "stellar_session" and one.domain != "127.0.0.1"]:
            bob.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)
        assert bob.get(back).status_code == 403
    assert not Identity.select().exists()


@pytest.mark.parametrize(
    "query", [{}, {"state": "forged", "code": "x"}, {"error": "access_denied"}, {"state": "\u00e9" * 50}]
)
def test_forged_returns(web: WebServer, query: dict[str, str]) -> None:
    with web.client() as client:
        assert client.get("/auth/oauth/oidc/callback", params=query).status_code in (403, 422)
        assert client.get("/auth/oauth/nope/callback", params=query).status_code == 404
        assert client.get("/auth/oauth/google/callback", params=query).status_code == 404
        assert client.post("/api/v1/auth/oauth/nope", json={}).status_code == 404


def test_a_code_that_the_provider_does_not_know(web: WebServer) -> None:
    with web.client() as client:
        state = parse_qs(urlsplit(client.post(START, json={}).json()["url"]).query)["state"][0]
        answer = client.get("/auth/oauth/oidc/callback", params={"state": state, "code": "made up"})
        assert answer.status_code == 422
        assert who(client) is None


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [("access_denied", 403, "You have not signed in"), ("server_error", 422, "Example gave no valid answer")],
)
def test_whoever_is_refused_elsewhere_is_told_so(
    web: WebServer, caplog: pytest.LogCaptureFixture, error: str, status: int, told: str
) -> None:
    with web.client() as client:
        state = parse_qs(urlsplit(client.post(START, json={}).json()["url"]).query)["state"][0]
        answer = client.get("/auth/oauth/oidc/callback", params={"state": state, "error": error})
        assert answer.status_code == status
        assert told in answer.text
        assert who(client) is None
    assert ("server_error" in caplog.text) is (error == "server_error")


def test_a_token_with_another_nonce_is_refused(web: WebServer, redis_url: str) -> None:
    verified()
    with web.client() as client, redis.Redis.from_url(redis_url, decode_responses=True) as known:
        url = client.post(START, json={}).json()["url"]
        nonce = parse_qs(urlsplit(url).query)["nonce"][0]
        (key,) = known.keys("oauth:*")
        known.set(key, str(known.get(key)).replace(nonce, "another"))
        assert client.get(consent(url, "1")).status_code == 422
        assert who(client) is None


def test_a_second_factor_is_asked_for(web: WebServer) -> None:
    verified()
    with web.signed_in() as ada, web.client() as client:
        path = "/api/v1/auth/second-factor/totp"
        secret = ada.post(path, json={"password": PASSWORD}).json()["secret"]
        codes = ada.post(f"{path}/confirm", json={"code": pyotp.TOTP(secret).now()}).json()["codes"]
        answer = sign_in(client, "1")
        assert answer.status_code == 200
        assert who(client) is None
        token = answer.text.partition('name="token" value="')[2].partition('"')[0]
        body = {"token": token, "code": codes[0]}
        assert client.post("/api/v1/auth/signin/second", json=body).status_code == 200
        assert who(client) == "ada@example.com"


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_nobody_is_sent_to_another_site(web: WebServer, target: str) -> None:
    verified()
    with web.client() as client:
        begun = client.post(START, json={"next": target})
        assert client.get(consent(begun.json()["url"], "1")).headers["Location"] == "/dashboard"


def test_a_suspended_account_stays_out(web: WebServer) -> None:
    users.suspend(verified().id)
    with web.client() as client:
        assert sign_in(client, "1").status_code == 403
        assert who(client) is None


def test_where_registration_is_open_a_verified_address_makes_an_account(
    tmp_path: Path, redis_url: str, provider: str
) -> None:
    oauth = {"oidc": {"issuer": provider, "client_id": "stellar", "client_secret": "secret"}}
    panel = make_panel(tmp_path / "data", redis_url, oauth=oauth, auth={"open_registration": True})
    with running(panel) as web, web.client() as client:
        assert sign_in(client, "1").status_code == 303
        assert client.get("/api/v1/users/me").json()["email_verified"] is True
        client.cookies.clear()
        assert sign_in(client, "5").status_code == 303
        assert client.get("/api/v1/users/me").json()["name"] == "eve", "a deceiving name is none"
        client.cookies.clear()
        assert sign_in(client, "2").status_code == 403
        assert sign_in(client, "3").status_code == 403


def test_github_discord_and_google_are_known() -> None:
    settings = OAuthSettings(google=ProviderSettings("g"), github=ProviderSettings("h"), discord=ProviderSettings("d"))

    class Configured:
        def section(self, type_: type) -> OAuthSettings:
            return settings

    found = {one.name: one for one in providers.configured(Configured())}  # type: ignore[arg-type]
    assert set(found) == {"google", "github", "discord"}
    assert found["google"].issuer == "https://accounts.google.com"
    for name in ("github", "discord"):
        assert all(url.startswith("https://") for url in (found[name].authorize_url, found[name].token_url))
    emails = [{"email": "a@b.c", "primary": False, "verified": True}, {"email": "d@e.f", "primary": True}]
    assert providers._primary(emails) is None
