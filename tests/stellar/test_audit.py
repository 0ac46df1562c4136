"""The audit log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from web_parts import make_panel

from stellar import audit
from stellar.auth.permissions import SYSTEM, Actor
from stellar.db import disconnect, write_tx

ADA = Actor(user_id="u-1", name="Ada", email="ada@example.com", address="203.0.113.7", request_id="r-1")


@pytest.fixture(autouse=True)
def database(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[None]:
    make_panel(tmp_path / "data", redis_url, database={"url": database_url})
    yield
    disconnect()


def test_a_line_says_who_did_what_to_which_from_where() -> None:
    audit.record(ADA, "server.create", target_type="server", target_id="s-1", details={"name": "My server"})
    (entry,) = audit.list_page().entries
    assert (entry.actor_kind, entry.actor_id, entry.actor_name) == ("session", "u-1", "ada@example.com")
    assert (entry.action, entry.target_type, entry.target_id) == ("server.create", "server", "s-1")
    assert (entry.address, entry.request_id, entry.details) == ("203.0.113.7", "r-1", {"name": "My server"})
    assert entry.at.tzinfo is not None


def test_the_system_is_somebody_too() -> None:
    audit.record(SYSTEM, "migrate")
    assert audit.list_page().entries[0].actor_name == "system"


def test_nothing_is_written_when_the_transaction_fails() -> None:
    with pytest.raises(RuntimeError), write_tx():
        audit.record(ADA, "server.create")
        raise RuntimeError
    assert audit.list_page().entries == []


def test_pages_follow_one_another() -> None:
    for number in range(5):
        audit.record(ADA, f"step.{number}")
    first = audit.list_page(size=2)
    assert [entry.action for entry in first.entries] == ["step.4", "step.3"]
    second = audit.list_page(size=2, before=first.next)
    assert [entry.action for entry in second.entries] == ["step.2", "step.1"]
    last = audit.list_page(size=2, before=second.next)
    assert ([entry.action for entry in last.entries], last.next) == (["step.0"], None)


def test_filters() -> None:
    audit.record(ADA, "server.create", target_type="server", target_id="s-1")
    audit.record(ADA, "server.delete", target_type="server", target_id="s-2")
    audit.record(SYSTEM, "node.create", target_type="node", target_id="s-1")
    assert len(audit.list_page(action="server.*").entries) == 2
    assert len(audit.list_page(action="server.create").entries) == 1
    assert len(audit.list_page(actor_id="u-1").entries) == 2
    assert [entry.action for entry in audit.list_page(target_type="node", target_id="s-1").entries] == ["node.create"]


def test_long_values_fit() -> None:
    audit.record(ADA, "server.create", target_type="server", target_id="x" * 500)
    assert audit.list_page().entries[0].target_id == "x" * 100
