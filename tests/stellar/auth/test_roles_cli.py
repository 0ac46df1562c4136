"""``stellar role``, and what else administrators do for an account."""

from __future__ import annotations

import pyotp
from cli_parts import CliPanel
from product import PASSWORD


def test_a_role_from_its_creation_to_its_deletion(cli_panel: CliPanel) -> None:
    made = cli_panel.json("role", "create", "reader", "--title", "Reader", "--action", "nodes.read")
    assert (made["actions"], made["builtin"]) == (["nodes.read"], False)
    assert "already a role" in cli_panel.refused("role", "create", "reader")
    cli_panel.user("reader@example.com", PASSWORD, "--role", "reader")
    browser = cli_panel.signed_in("reader@example.com")
    assert browser.get("/api/v1/admin/audit").status_code == 403
    changed = cli_panel.json("role", "change", "reader", "--action", "audit.read", "--action", "nodes.read")
    assert (changed["title"], changed["actions"]) == ("Reader", ["audit.read", "nodes.read"])
    assert browser.get("/api/v1/admin/audit").status_code == 200, "the open session doesn't have the new actions"
    (line,) = [line for line in cli_panel.ok("role", "list").splitlines() if line.startswith("reader")]
    assert line.split() == ["reader", "Reader", "own", "1", "2"]
    assert cli_panel.ok("role", "show", "reader").endswith("allows:\n  audit.read\n  nodes.read\n")
    assert "Accounts have this role" in cli_panel.refused("role", "delete", "reader", "--yes")
    cli_panel.ok("user", "role", "reader@example.com", "user")
    assert "--yes" in cli_panel.refused("role", "delete", "reader")
    cli_panel.ok("role", "delete", "reader", "--yes")
    assert "no such role as reader" in cli_panel.refused("role", "delete", "reader", "--yes")
    for action in ("role.create", "role.update", "role.delete"):
        assert cli_panel.audited(action), action


def test_what_is_wrong_with_a_role_is_said(cli_panel: CliPanel) -> None:
    assert "stellar: name: " in cli_panel.refused("role", "create", "Bad Name")
    assert "no action 'nodes.eat'" in cli_panel.refused("role", "create", "eater", "--action", "nodes.eat")
    assert "built in" in cli_panel.refused("role", "change", "support", "--title", "Helpers")
    assert "Say what to change" in cli_panel.refused("role", "change", "support")
    assert "built in" in cli_panel.refused("role", "delete", "user", "--yes")
    assert "nodes.read" in {row["action"] for row in cli_panel.json("role", "actions")}


def test_a_second_factor_is_removed(cli_panel: CliPanel) -> None:
    cli_panel.user("lost@example.com")
    assert "no second factor" in cli_panel.refused("user", "remove-second-factor", "lost@example.com", "--yes")
    browser = cli_panel.signed_in("lost@example.com")
    begun = browser.post("/api/v1/auth/second-factor/totp", json={"password": PASSWORD})
    code = pyotp.TOTP(begun.json()["secret"]).now()
    assert browser.post("/api/v1/auth/second-factor/totp/confirm", json={"code": code}).status_code == 200
    assert "--yes" in cli_panel.refused("user", "remove-second-factor", "lost@example.com")
    cli_panel.ok("user", "remove-second-factor", "lost@example.com", "--yes")
    assert browser.get("/api/v1/auth/second-factor").json()["totp"] is False
    assert cli_panel.audited("user.second_factor_removed")


def test_a_waiting_address_is_confirmed(cli_panel: CliPanel) -> None:
    cli_panel.user("before@example.com")
    browser = cli_panel.signed_in("before@example.com")
    asked = browser.patch("/api/v1/users/me", json={"email": "after@example.com", "password": PASSWORD})
    assert asked.is_success, asked.text
    assert cli_panel.json("user", "show", "before@example.com")["pending_email"] == "after@example.com"
    assert cli_panel.json("user", "confirm-email", "before@example.com")["email"] == "after@example.com"
    assert "waits to be confirmed" in cli_panel.refused("user", "confirm-email", "after@example.com")
    cli_panel.signed_in("after@example.com")
