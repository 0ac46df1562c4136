"""``stellar server answer``, beside a running panel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli_parts import CliPanel
from product import EMAIL

from stellar.testing.waiting import wait_until

BLUEPRINTS = Path(__file__).parents[2] / "blueprints"


def asking(panel: CliPanel, blueprint: str) -> dict[str, Any]:
    """A server that has ended with a question."""
    panel.ok("blueprint", "import", str(BLUEPRINTS / blueprint / "blueprint.toml"))
    made: dict[str, Any] = panel.json("server", "create", blueprint, "--blueprint", blueprint, "--owner", EMAIL)
    wait_until(lambda: show(panel, made["id"])["state"] == "offline", 30, "the install")
    panel.ok("server", "power", made["id"], "start")
    wait_until(lambda: show(panel, made["id"])["prompts"], 20, "the question")
    wait_until(lambda: show(panel, made["id"])["state"] == "offline", 20, "its end")
    return made


def show(panel: CliPanel, ref: str) -> dict[str, Any]:
    """``stellar server show``."""
    found: dict[str, Any] = panel.json("server", "show", ref)
    return found


def test_what_a_game_asks_is_answered(cli_panel: CliPanel) -> None:
    made = asking(cli_panel, "particular")
    assert "token isn't valid (gsl_token)" in cli_panel.ok("server", "show", "particular")
    assert "nothing to accept" in cli_panel.refused("server", "answer", "particular", "gsl_token")
    assert "Game server login token" in cli_panel.refused("server", "answer", "particular", "gsl_token", "no; token")
    assert "doesn't ask this" in cli_panel.refused("server", "answer", "particular", "eula")
    assert "particular is" in cli_panel.ok("server", "answer", "particular", "gsl_token", "good-token")
    wait_until(lambda: show(cli_panel, made["id"])["state"] == "running", 20, "the game running")
    assert show(cli_panel, made["id"])["prompts"] == []


def test_what_a_game_asks_is_accepted(cli_panel: CliPanel) -> None:
    made = asking(cli_panel, "licensed")
    assert "licensed is" in cli_panel.ok("server", "answer", "licensed", "eula")
    wait_until(lambda: show(cli_panel, made["id"])["state"] == "running", 20, "the game running")
    (line,) = [line for line in cli_panel.audited("server.prompt") if line["target_id"] == made["id"]]
    assert line["details"] == {"prompt": "eula", "accepted": "I agree to the EULA"}
