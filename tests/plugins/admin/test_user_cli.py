"""``stellar user show``, ``change`` and ``delete``."""

from __future__ import annotations

from cli_parts import CliPanel


def test_a_user_is_shown_renamed_and_deleted(cli_panel: CliPanel) -> None:
    made = cli_panel.user("gone@example.com")
    browser = cli_panel.signed_in("gone@example.com")
    assert cli_panel.json("user", "change", "gone@example.com", "--name", "Soon Gone")["name"] == "Soon Gone"
    assert browser.get("/api/v1/users/me").json()["name"] == "Soon Gone", "the open session has the old name"
    shown = cli_panel.json("user", "show", made["id"])
    assert (shown["email"], shown["servers"], shown["pending_email"]) == ("gone@example.com", 0, None)
    lines = [line.split() for line in cli_panel.ok("user", "show", "gone@example.com").splitlines()]
    assert ["name", "Soon", "Gone"] in lines and ["state", "active"] in lines
    assert "--yes" in cli_panel.refused("user", "delete", "gone@example.com")
    cli_panel.ok("user", "delete", "gone@example.com", "--yes")
    assert browser.get("/api/v1/users/me").status_code == 401
    assert "no user gone@example.com" in cli_panel.refused("user", "show", "gone@example.com")
    for action in ("user.update", "user.delete"):
        assert cli_panel.audited(action), action


def test_what_is_refused(cli_panel: CliPanel) -> None:
    assert "last administrator" in cli_panel.refused("user", "delete", "ada@example.com", "--yes")
    assert "Say what to change" in cli_panel.refused("user", "change", "ada@example.com")
    assert "The name needs" in cli_panel.refused("user", "change", "ada@example.com", "--name", "a\nb")
    assert "Did you mean ada@example.com" in cli_panel.refused("user", "show", "ad@example.com")
    cli_panel.user("owner@example.com")
    cli_panel.ok("server", "create", "owned", "--blueprint", "generic", "--owner", "owner@example.com")
    assert "owns 1 server" in cli_panel.refused("user", "delete", "owner@example.com", "--yes")
