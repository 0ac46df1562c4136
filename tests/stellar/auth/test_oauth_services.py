"""GitHub, Discord and Google, as local servers that answer the way their documentation says."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import msgspec
import pytest
from joserfc import jwk, jwt
from web_parts import PASSWORD, WebServer, make_panel, running

from stellar.auth import providers, users
from stellar.auth.models import Identity, User
from stellar.db import now

SECRET = "the application's secret"
CODE = "one-time-code"
SERVICES = ("github", "discord", "google")


class Service(ThreadingHTTPServer):
    """Believes one code, with the verifier of the challenge that it was asked with."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.key = jwk.RSAKey.generate_key(2048, {"kid": "1", "use": "sig"})
        self.asked: dict[str, str] = {}
        self.verified: Any = True
        self.claims: dict[str, Any] = {}

    def consent(self, url: str) -> str:
        """What the service does once its user agrees: where it sends the browser."""
        self.asked = dict(parse_qsl(urlsplit(url).query))
        return f"{self.asked['redirect_uri']}?{urlencode({'code': CODE, 'state': self.asked['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """The answer of the token endpoint."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        credentials = base64.b64encode(f"stellar:{SECRET}".encode()).decode()
        asked = self.asked
        right = (
            form.get("code") == CODE
            and form.get("redirect_uri") == asked["redirect_uri"]
            and challenge.decode().rstrip("=") == asked["code_challenge"]
            and authorization == f"Basic {credentials}"
        )
        if not right:
            return {"error": "bad_verification_code", "error_description": "The code is incorrect or expired."}
        token = {"access_token": "access", "token_type": "bearer", "scope": asked["scope"]}
        return {**token, "id_token": self.id_token()} if "nonce" in asked else token

    def id_token(self) -> str:
        """Google's, with whatever a test wants otherwise."""
        claims = {
            "iss": self.url,
            "azp": "stellar",
            "aud": "stellar",
            "sub": "110169484474386276334",
            "email": "ada@example.com",
            "email_verified": self.verified,
            "nonce": self.asked["nonce"],
            "iat": int(time.time()),
            "exp": int(time.time()) + 3600,
        }
        return jwt.encode({"alg": "RS256", "kid": "1"}, {**claims, **self.claims}, self.key)

    def profile(self, path: str) -> Any:
        """What the services say of a user."""
        emails = [
            {"email": "other@example.com", "primary": False, "verified": True, "visibility": None},
            {"email": "ada@example.com", "primary": True, "verified": self.verified, "visibility": "private"},
        ]
        return {
            "/user": {"id": 583231, "login": "ada", "email": "public@example.com", "name": None},
            "/user/emails": emails,
            "/api/users/@me": {
                "id": "80351110224678912",
                "username": "ada",
                "email": "ada@example.com",
                "verified": self.verified,
            },
        }[path]

    def metadata(self) -> dict[str, Any]:
        """Google's discovery document, as far as it matters."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/o/oauth2/v2/auth",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/v1/userinfo",
            "jwks_uri": f"{self.url}/oauth2/v3/certs",
            "id_token_signing_alg_values_supported": ["RS256"],
        }


class Handler(BaseHTTPRequestHandler):
    """The endpoints."""

    server: Service

    def do_GET(self) -> None:
        if self.path == "/.well-known/openid-configuration":
            self.answer(self.server.metadata())
        elif self.path == "/oauth2/v3/certs":
            self.answer({"keys": [self.server.key.as_dict(private=False)]})
        elif self.headers["Authorization"] == "Bearer access" and self.headers["User-Agent"]:
            self.answer(self.server.profile(self.path))
        else:
            self.send_error(401)

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        told = self.server.token(form, self.headers["Authorization"] or "")
        # GitHub answers with a form unless asked for JSON, and with 200 also when it refuses.
        self.answer(told, as_form="json" not in (self.headers["Accept"] or ""))

    def answer(self, value: Any, *, as_form: bool = False) -> None:
        data = (urlencode(value) if as_form else json.dumps(value)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-www-form-urlencoded" if as_form else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    """All three at once."""
    server = Service()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def web(tmp_path: Path, redis_url: str, service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A panel that reaches them there."""
    configured = providers.configured

    def here(config: Any) -> list[providers.Provider]:
        return [_moved(one, service.url) for one in configured(config)]

    monkeypatch.setattr(providers, "configured", here)
    oauth = {name: {"client_id": "stellar", "client_secret": SECRET} for name in SERVICES}
    with running(make_panel(tmp_path / "data", redis_url, oauth=oauth)) as server:
        made = users.create("ada@example.com", PASSWORD)
        User.update(email_verified_at=now()).where(User.id == made.id).execute()
        yield server


def _moved(provider: providers.Provider, url: str) -> providers.Provider:
    fields = ("issuer", "authorize_url", "token_url", "profile_url")
    places = {field: getattr(provider, field) for field in fields if getattr(provider, field)}
    moved = {field: url + urlsplit(place).path for field, place in places.items()}
    return msgspec.structs.replace(provider, **moved)


def sign_in(client: httpx.Client, service: Service, name: str) -> httpx.Response:
    url = client.post(f"/api/v1/auth/oauth/{name}", json={"next": "/settings"}).json()["url"]
    return client.get(service.consent(url))


@pytest.mark.parametrize(
    ("name", "subject", "scope"),
    [
        ("github", "583231", {"read:user", "user:email"}),
        ("discord", "80351110224678912", {"identify", "email"}),
        ("google", "110169484474386276334", {"openid", "email", "profile"}),
    ],
    ids=SERVICES,
)
def test_signing_in(web: WebServer, service: Service, name: str, subject: str, scope: set[str]) -> None:
    with web.client() as client:
        answer = sign_in(client, service, name)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/settings"), answer.text
        assert client.get("/api/v1/users/me").json()["email"] == "ada@example.com"
    assert set(service.asked["scope"].split()) == scope
    assert (service.asked["code_challenge_method"], service.asked["response_type"]) == ("S256", "code")
    assert [(row.provider, row.subject) for row in Identity.select()] == [(name, subject)]


@pytest.mark.parametrize("verified", [False, None, "true"], ids=["no", "unknown", "text"])
@pytest.mark.parametrize("name", SERVICES)
def test_an_address_that_the_service_does_not_vouch_for(
    web: WebServer, service: Service, name: str, verified: Any
) -> None:
    service.verified = verified
    with web.client() as client:
        assert sign_in(client, service, name).status_code == 403
    assert not Identity.select().exists()


@pytest.mark.parametrize("name", SERVICES)
def test_a_code_that_was_made_for_somebody_else(web: WebServer, service: Service, name: str) -> None:
    with web.client() as client, web.client() as other:
        back = service.consent(client.post(f"/api/v1/auth/oauth/{name}", json={}).json()["url"])
        mine = other.post(f"/api/v1/auth/oauth/{name}", json={}).json()["url"]
        state = parse_qs(urlsplit(mine).query)["state"][0]
        stolen = f"{urlsplit(back)._replace(query=urlencode({'code': CODE, 'state': state})).geturl()}"
        assert other.get(stolen).status_code == 422, "PKCE: another verifier"
        assert other.get("/api/v1/auth/session").status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": ["stellar", "another"], "azp": "another"},
        {"iss": "https://accounts.example"},
        {"exp": 1},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": ""},
    ],
    ids=["aud", "azp", "iss", "exp", "nonce", "no nonce", "sub"],
)
def test_an_id_token_that_is_not_for_this_sign_in(web: WebServer, service: Service, claims: dict[str, Any]) -> None:
    service.claims = claims
    with web.client() as client:
        assert sign_in(client, service, "google").status_code == 422


def test_an_id_token_that_somebody_else_has_signed(web: WebServer, service: Service) -> None:
    with web.client() as client:
        back = service.consent(client.post("/api/v1/auth/oauth/google", json={}).json()["url"])
        own, service.key = service.key, jwk.RSAKey.generate_key(2048, {"kid": "1"})
        forged = service.id_token()
        service.key = own
        service.id_token = lambda: forged  # type: ignore[method-assign]
        assert client.get(back).status_code == 422
