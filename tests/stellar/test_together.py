"""Many requests at the same moment, on both databases: limits hold, and nothing fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from full_panel import full_panel
from web_parts import PASSWORD, WebServer
from whole_panel import together

from stellar.auth import keys
from stellar.auth.models import Authenticator, Key
from stellar.settings import OPEN_REGISTRATION

REQUESTS = 50


@pytest.fixture
def web(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[WebServer]:
    """A running panel, on both databases."""
    with full_panel(tmp_path / "data", redis_url, database_url) as server:
        yield server


@pytest.fixture
def admin(web: WebServer) -> Iterator[httpx.Client]:
    with web.signed_in(role="admin", timeout=60) as client:
        yield client


def answers(send: Callable[[int], httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in together(REQUESTS, send))


def test_keys_never_exceed_their_number(admin: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "KEYS_PER_USER", 5)
    body: dict[str, Any] = {"name": "script", "scopes": ["roles.read"]}
    found = answers(lambda _: admin.post("/api/v1/users/me/keys", json=body))
    assert (found[201], Key.select().count()) == (5, 5)
    assert set(found) <= {201, 409, 429}


def test_second_factors_begin_one_at_a_time(admin: httpx.Client) -> None:
    found = answers(lambda _: admin.post("/api/v1/auth/second-factor/totp", json={"password": PASSWORD}))
    assert set(found) <= {201, 429} and found[201]
    assert Authenticator.select().count() == 1


def test_a_setting_takes_every_value(admin: httpx.Client) -> None:
    path = f"/api/v1/admin/settings/{OPEN_REGISTRATION}"
    found = answers(lambda number: admin.put(path, json={"value": number % 2 == 0}))
    assert found == {204: REQUESTS}
