"""The fixtures that plugin authors get."""

from __future__ import annotations

from stellar.auth import users
from stellar.bus import sync
from stellar.panel import Panel
from stellar.plugins.blueprints.service import list_blueprints


def test_services_can_be_called_on_a_panel(stellar_panel: Panel) -> None:
    assert users.create("ada@example.com", "correct horse battery").email == "ada@example.com"
    assert {blueprint.name for blueprint in list_blueprints()} >= {"luanti", "generic"}
    assert sync.client().ping()


def test_each_test_gets_a_panel_of_its_own(stellar_panel: Panel) -> None:
    assert users.by_email("ada@example.com") is None
