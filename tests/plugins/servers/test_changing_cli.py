"""What ``stellar server`` changes of a server, beside a running panel."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from cli_parts import CliPanel
from product import EMAIL

from stellar.testing.waiting import wait_until


def create(panel: CliPanel, name: str) -> str:
    """An installed server that does nothing; its id."""
    made = panel.json("server", "create", name, "--blueprint", "generic", "--owner", EMAIL, "-v", "START_COMMAND=cat")
    wait_until(lambda: show(panel, made["id"])["state"] == "offline", 30, f"{name} being installed")
    return str(made["id"])


def show(panel: CliPanel, ref: str) -> dict[str, Any]:
    """``stellar server show``."""
    found: dict[str, Any] = panel.json("server", "show", ref)
    return found


def variables(startup: dict[str, Any]) -> dict[str, str]:
    """Those of ``stellar server startup``, by name."""
    return {one["env"]: one["value"] for one in startup["variables"]}


def test_rename(cli_panel: CliPanel) -> None:
    made = create(cli_panel, "Before")
    cli_panel.ok("server", "rename", "Before", "After", "--description", "For friends")
    assert (show(cli_panel, made)["name"], show(cli_panel, made)["description"]) == ("After", "For friends")
    cli_panel.ok("server", "rename", made, "--description", "")
    assert (show(cli_panel, made)["name"], show(cli_panel, made)["description"]) == ("After", "")
    assert "what to change" in cli_panel.refused("server", "rename", made)
    assert "name" in cli_panel.refused("server", "rename", made, "a\tb")


def test_startup(cli_panel: CliPanel) -> None:
    made = create(cli_panel, "Started so")
    assert "cat" in cli_panel.ok("server", "startup", made)
    changed = cli_panel.json("server", "startup", made, "-v", "START_COMMAND=sleep 5")
    assert variables(changed)["START_COMMAND"] == "sleep 5"
    assert "sleep 5" in cli_panel.ok("server", "startup", "Started so")
    assert "variables.NOPE" in cli_panel.refused("server", "startup", made, "-v", "NOPE=1")
    assert "NAME=VALUE" in cli_panel.refused("server", "startup", made, "-v", "nothing")
    assert "command" in cli_panel.refused("server", "startup", made, "--command", "nope")
    assert variables(cli_panel.json("server", "startup", made))["START_COMMAND"] == "sleep 5"


def test_blueprint(cli_panel: CliPanel) -> None:
    made = create(cli_panel, "Changes its game")
    assert "no such blueprint" in cli_panel.refused("server", "blueprint", made, "nope")
    assert "Teeworlds" in cli_panel.ok("server", "blueprint", made, "teeworlds")
    wait_until(lambda: show(cli_panel, made)["state"] == "offline", 30, "the other game being installed")
    assert show(cli_panel, made)["blueprint"]["name"] == "teeworlds"


def test_ports(cli_panel: CliPanel) -> None:
    made = create(cli_panel, "Many ports")
    (main,) = cli_panel.json("server", "ports", "list", made)["items"]
    added = cli_panel.json("server", "ports", "add", made, "--protocol", "udp", "--note", "voice")["items"][1]
    assert (added["protocol"], added["note"], added["primary"]) == ("udp", "voice", False)
    assert "main port" in cli_panel.refused("server", "ports", "remove", made, str(main["port"]))
    changed = cli_panel.json("server", "ports", "change", made, str(added["port"]), "--main", "--note", "game")["items"]
    assert [(one["port"], one["note"]) for one in changed] == [(added["port"], "game"), (main["port"], "")]
    assert "what to change" in cli_panel.refused("server", "ports", "change", made, str(main["port"]))
    assert "no port 1" in cli_panel.refused("server", "ports", "remove", made, "1")
    cli_panel.ok("server", "ports", "remove", made, str(main["port"]))
    table = cli_panel.ok("server", "ports", "list", made).splitlines()
    assert table[0].split() == ["PORT", "PROTOCOL", "NAME", "MAIN", "NOTE"]
    assert [line.split()[0] for line in table[1:]] == [str(added["port"])]


def test_members(cli_panel: CliPanel) -> None:
    made = create(cli_panel, "Shared")
    cli_panel.user("lodger@example.com")
    added = cli_panel.json("server", "members", "add", made, "lodger@example.com", "--preset", "operator")
    assert (added["preset"], added["owner"]) == ("operator", False)
    assert "already" in cli_panel.refused("server", "members", "add", made, "lodger@example.com", "--preset", "viewer")
    changed = cli_panel.json("server", "members", "change", made, "lodger@example.com", "--action", "console.read")
    assert "console.read" in changed["actions"] and changed["preset"] is None
    assert "preset" in cli_panel.refused("server", "members", "change", made, "lodger@example.com")
    assert "owns" in cli_panel.refused("server", "members", "remove", made, EMAIL)
    invited = cli_panel.product.admin().post(
        f"/api/v1/servers/{made}/invitations", json={"email": "joan@example.com", "preset": "viewer"}
    )
    assert invited.status_code == 201
    listed = cli_panel.ok("server", "members", "list", made)
    assert "console.read" in listed and "invited: viewer" in listed and f"{EMAIL}  " in listed
    cli_panel.ok("server", "members", "remove", made, "joan@example.com")
    cli_panel.ok("server", "members", "remove", made, "lodger@example.com")
    found = cli_panel.json("server", "members", "list", made)
    assert [one["user"]["email"] for one in found["members"]] == [EMAIL] and found["invitations"] == []
    assert "no user nobody" in cli_panel.refused("server", "members", "remove", made, "nobody@example.com")


def test_activity(cli_panel: CliPanel) -> None:
    made = create(cli_panel, "Watched")
    cli_panel.ok("server", "rename", made, "Watched well")
    found = cli_panel.json("server", "activity", made, "--limit", "1")
    assert [one["action"] for one in found["items"]] == ["server.update"]
    earlier = cli_panel.json("server", "activity", made, "--before", str(found["next"]))
    assert [one["action"] for one in earlier["items"]] == ["server.create"]
    assert "name: Watched well" in cli_panel.ok("server", "activity", made)


def test_servers_that_the_panel_does_not_know(cli_panel: CliPanel) -> None:
    made = create(cli_panel, "Forgotten")
    files = cli_panel.product.data / "agent" / "servers" / made
    assert files.is_dir()
    assert "knows this server" in cli_panel.refused("node", "unknown", "delete", "local", made, "--yes")
    with closing(sqlite3.connect(cli_panel.product.data / "stellar.db")) as database:
        database.execute("DELETE FROM servers_server WHERE id = ?", (made,))
        database.commit()
    assert "no such server" in cli_panel.refused("node", "unknown", "kill", "local", "nonsense")
    assert "Killed" in cli_panel.ok("node", "unknown", "kill", "local", made)
    assert files.is_dir()
    assert "--yes" in cli_panel.refused("node", "unknown", "delete", "local", made)
    assert "Deleted" in cli_panel.ok("node", "unknown", "delete", "local", made, "--yes")
    assert not files.exists()
    for action in ("kill", "delete"):
        (line,) = cli_panel.audited(f"node.unknown_server_{action}")
        assert line["details"] == {"server": made}
