"""Passkeys, with an authenticator in software: what a browser's would send, and what a forger would."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from datetime import timedelta
from typing import Any

import httpx
import pyotp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from web_parts import PASSWORD, WebServer
from webauthn.helpers import encode_cbor

from stellar.auth import proof, users
from stellar.auth.models import Passkey
from stellar.db import now

API = "/api/v1/auth"
PRESENT, VERIFIED, ATTESTED = 1, 4, 64


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Authenticator:
    """One passkey."""

    def __init__(self, origin: str, host: str = "127.0.0.1") -> None:
        self.origin = origin
        self.host = host
        self.id = os.urandom(32)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.uses = 0
        self.flags = PRESENT | VERIFIED

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": f"webauthn.{kind}", "challenge": challenge, "origin": self.origin}).encode()

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + struct.pack(">I", self.uses)

    def _answer(self, response: dict[str, str]) -> dict[str, Any]:
        return {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "response": response}

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + encode_cbor(cose)
        statement = {"fmt": "none", "attStmt": {}, "authData": self._data(self.flags | ATTESTED) + attested}
        client = self._client("create", options["challenge"])
        return self._answer({"clientDataJSON": b64(client), "attestationObject": b64(encode_cbor(statement))})

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        self.uses += 1
        client, data = self._client("get", options["challenge"]), self._data(self.flags)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        told = {"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)}
        return self._answer(told)


def register(client: httpx.Client, device: Authenticator, name: str = "Laptop") -> httpx.Response:
    options = client.post(f"{API}/passkeys/options", json={"password": PASSWORD})
    assert options.status_code == 200, options.text
    return client.post(f"{API}/passkeys", json={"name": name, "credential": device.create(options.json())})


def sign_in(client: httpx.Client, device: Authenticator) -> httpx.Response:
    offer = client.post(f"{API}/signin/passkey/options").json()
    body = {"token": offer["token"], "credential": device.get(offer["options"])}
    return client.post(f"{API}/signin/passkey", json=body)


def test_a_passkey_signs_in_by_itself(web: WebServer) -> None:
    device = Authenticator(web.url)
    with web.signed_in() as ada, web.client() as client:
        assert ada.post(f"{API}/passkeys/options", json={"password": "wrong"}).status_code == 403
        made = register(ada, device)
        assert made.status_code == 201, made.text
        answer = sign_in(client, device)
        assert answer.status_code == 200, answer.text
        assert client.get(f"{API}/session").json()["user"]["email"] == "ada@example.com"
        (listed,) = ada.get(f"{API}/passkeys").json()
        assert listed["used_at"] is not None
        renamed = ada.patch(f"{API}/passkeys/{listed['id']}", json={"name": "Phone"})
        assert renamed.json()["name"] == "Phone"
        assert ada.delete(f"{API}/passkeys/{listed['id']}").status_code == 204
        assert sign_in(client, device).status_code == 401
        assert ada.get(f"{API}/passkeys").json() == []


def test_a_passkey_is_a_second_factor(web: WebServer) -> None:
    device, other = Authenticator(web.url), Authenticator(web.url)
    with web.signed_in() as ada, web.signed_in("bob@example.com") as bob, web.client() as client:
        register(ada, device)
        register(bob, other)
        secret = ada.post(f"{API}/second-factor/totp", json={"password": PASSWORD}).json()["secret"]
        ada.post(f"{API}/second-factor/totp/confirm", json={"code": pyotp.TOTP(secret).now()})
        for used, status in ((other, 401), (device, 200)):
            body = {"email": "ada@example.com", "password": PASSWORD}
            step = client.post(f"{API}/signin", json=body).json()["second_factor"]
            assert step["methods"] == ["totp", "recovery", "passkey"]
            offer = client.post(f"{API}/signin/second/options", json={"token": step["token"]}).json()
            assert [one["id"] for one in offer["options"]["allowCredentials"]] == [b64(device.id)]
            body = {"token": step["token"], "credential": used.get(offer["options"])}
            assert client.post(f"{API}/signin/second", json=body).status_code == status
        assert client.post(f"{API}/signin/second", json={"token": step["token"]}).status_code == 422
        assert client.post(f"{API}/signin/second", json=body).status_code == 401
        assert client.post(f"{API}/signin/second/options", json={"token": "forged"}).status_code == 401


def test_a_passkey_proves_its_owner_and_nobody_else(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def prove(client: httpx.Client, device: Authenticator) -> int:
        offer = client.post(f"{API}/signin/passkey/options").json()
        body = {"token": offer["token"], "credential": device.get(offer["options"])}
        return client.post(f"{API}/proof", json=body).status_code

    mine, other = Authenticator(web.url), Authenticator(web.url)
    with web.signed_in() as ada, web.signed_in("eve@example.com") as eve:
        made = register(ada, mine).json()["id"]
        register(eve, other)
        monkeypatch.setattr(proof, "now", lambda: now() + timedelta(minutes=16))
        assert ada.delete(f"{API}/passkeys/{made}").json()["code"] == "proof_required"
        assert prove(ada, other) == 403
        assert ada.delete(f"{API}/passkeys/{made}").json()["code"] == "proof_required"
        assert prove(ada, mine) == 204
        assert ada.delete(f"{API}/passkeys/{made}").status_code == 204
        assert eve.get(f"{API}/passkeys").json()[0]["used_at"] is not None


def test_an_answer_counts_once(web: WebServer) -> None:
    device = Authenticator(web.url)
    with web.signed_in() as ada, web.client() as client:
        register(ada, device)
        offer = client.post(f"{API}/signin/passkey/options").json()
        body = {"token": offer["token"], "credential": device.get(offer["options"])}
        assert client.post(f"{API}/signin/passkey", json=body).status_code == 200
        assert client.post(f"{API}/signin/passkey", json=body).status_code == 401
        fresh = client.post(f"{API}/signin/passkey/options").json()["token"]
        assert client.post(f"{API}/signin/passkey", json={**body, "token": fresh}).status_code == 401


@pytest.mark.parametrize("fault", ["origin", "host", "unverified", "key", "cloned"])
def test_forged_answers(web: WebServer, fault: str) -> None:
    device = Authenticator(web.url)
    with web.signed_in() as ada, web.client() as client:
        register(ada, device)
        assert sign_in(client, device).status_code == 200
        client.cookies.clear()
        if fault == "origin":
            device.origin = "https://evil.example"
        elif fault == "host":
            device.host = "evil.example"
        elif fault == "unverified":
            device.flags = PRESENT
        elif fault == "key":
            device.key = ec.generate_private_key(ec.SECP256R1())
        else:
            device.uses = 0
        answer = sign_in(client, device)
        assert (answer.status_code, answer.json()["code"]) == (401, "bad_credentials")
        assert client.get(f"{API}/session").status_code == 401


@pytest.mark.parametrize(
    "credential",
    [{}, {"id": 1}, {"id": "x"}, {"id": "x", "rawId": "x", "response": {}, "type": "public-key"}, {"id": ["x"]}],
)
def test_nonsense_is_refused(web: WebServer, credential: dict[str, Any]) -> None:
    device = Authenticator(web.url)
    with web.signed_in() as ada, web.client() as client:
        ada.post(f"{API}/passkeys/options", json={"password": PASSWORD})
        refused = ada.post(f"{API}/passkeys", json={"name": "Laptop", "credential": credential})
        assert (refused.status_code, refused.json()["code"]) == (422, "bad_passkey")
        late = ada.post(f"{API}/passkeys", json={"name": "Laptop", "credential": credential})
        assert (late.status_code, late.json()["code"]) == (409, "passkey_expired")
        register(ada, device)
        offer = client.post(f"{API}/signin/passkey/options").json()
        known = {**credential, "id": b64(device.id)}
        for one in (credential, known):
            body = {"token": offer["token"], "credential": one}
            assert client.post(f"{API}/signin/passkey", json=body).status_code == 401


def test_a_passkey_belongs_to_one_account(web: WebServer) -> None:
    device = Authenticator(web.url)
    with web.signed_in() as ada, web.signed_in("bob@example.com") as bob, web.client() as client:
        made = register(ada, device).json()
        again = register(bob, device)
        assert (again.status_code, again.json()["code"]) == (409, "passkey_known")
        for method in ("patch", "delete"):
            options = {"json": {"name": "Mine"}} if method == "patch" else {}
            assert getattr(bob, method)(f"{API}/passkeys/{made['id']}", **options).status_code == 404
        assert Passkey.select().count() == 1
        user = users.by_email("ada@example.com")
        assert user is not None
        users.suspend(user.id)
        answer = sign_in(client, device)
        assert (answer.status_code, answer.json()["code"]) == (403, "suspended")
