"""The watch that every test of the suite is under: it sees what an endpoint doesn't say of itself."""

from __future__ import annotations

from dataclasses import replace

import described
import pytest
from web_parts import WebServer


@pytest.fixture(autouse=True)
def _probes_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(described, "PROBES", set())


def test_what_is_not_described_is_seen(web: WebServer) -> None:
    with web.client() as client:
        assert client.get("/api/v1/things").status_code == 200
        assert client.get("/api/v1/things?page=x").status_code == 422
        assert described.undescribed() == []
        assert client.get("/api/v1/broken/conflict").status_code == 409
        assert described.undescribed() == ["GET /api/v1/broken/{how}: 409 thing_busy: It is busy."]
        with client.stream("GET", "/api/v1/flow") as endless:
            assert endless.status_code == 200
        assert described.undescribed() == ["GET /api/v1/flow: application/octet-stream"]


def test_an_answer_that_is_not_of_its_type_is_seen(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("GET", "/api/v1/things")
    declared = described.operations[asked]
    other = replace(declared, declaration=replace(declared.declaration, returns=list[int]))
    monkeypatch.setitem(described.operations, asked, other)
    with web.client() as client:
        assert client.get("/api/v1/things").status_code == 200
    (found,) = described.undescribed()
    assert "Expected `array`, got `object`" in found
