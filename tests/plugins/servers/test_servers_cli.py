"""``stellar server``, beside a running panel."""

from __future__ import annotations

import os
import signal
from typing import Any

import redis
from cli_parts import CliPanel
from product import EMAIL

from stellar.testing.waiting import wait_until

ECHO = "START_COMMAND=while read -r x; do echo heard $x; done"


def create(panel: CliPanel, name: str, *options: str) -> dict[str, Any]:
    """A server that repeats what it is told, installed."""
    made: dict[str, Any] = panel.json(
        "server", "create", name, "--blueprint", "generic", "--owner", EMAIL, "-v", ECHO, *options
    )
    wait_until(lambda: show(panel, made["id"])["state"] == "offline", 30, f"{name} being installed")
    return made


def show(panel: CliPanel, ref: str) -> dict[str, Any]:
    """``stellar server show``."""
    found: dict[str, Any] = panel.json("server", "show", ref)
    return found


def test_a_server_from_its_creation_to_its_deletion(cli_panel: CliPanel) -> None:
    made = create(cli_panel, "Echo one", "--memory", "300", "--cpu", "50", "--disk", "0", "--node", "local")
    assert made["limits"].items() >= {"memory_mb": 300, "cpu_percent": 50, "disk_mb": 0}.items()
    assert made["owner"]["name"] == "Ada" and made["node"]["name"] == "local"
    shown = cli_panel.ok("server", "show", "Echo one")
    assert "300 MiB" in shown and "no limit" in shown and made["short_id"] in shown
    assert "is starting" in cli_panel.ok("server", "power", made["short_id"], "start")
    wait_until(lambda: show(cli_panel, made["id"])["state"] == "running", 20, "the server running")
    cli_panel.ok("server", "command", made["id"], "hello", "world")

    def said() -> str:
        return cli_panel.ok("server", "console", made["id"], "--no-follow")

    wait_until(lambda: "heard hello world" in said(), 20, "the answer of the game")
    cli_panel.ok("server", "power", "Echo one", "kill")
    wait_until(lambda: show(cli_panel, made["id"])["state"] == "offline", 20, "the server being killed")
    assert "--yes" in cli_panel.refused("server", "delete", "Echo one")
    cli_panel.ok("server", "delete", "Echo one", "--yes")
    assert "no such server" in cli_panel.refused("server", "show", made["id"])
    for action in ("create", "start", "command", "kill", "delete"):
        (line,) = [line for line in cli_panel.audited(f"server.{action}") if line["target_id"] == made["id"]]
        assert (line["actor_name"], line["actor_id"]) == ("system", None)


def test_suspend_unsuspend_and_reinstall(cli_panel: CliPanel) -> None:
    made = create(cli_panel, "Held")
    cli_panel.ok("server", "suspend", "Held")
    assert "suspended" in cli_panel.refused("server", "power", "Held", "start")
    assert "suspended" in cli_panel.refused("server", "reinstall", "Held")
    assert made["id"] in [row["id"] for row in cli_panel.json("server", "list", "--state", "suspended")]
    cli_panel.ok("server", "unsuspend", "Held")
    assert "is starting" in cli_panel.ok("server", "power", "Held", "start")
    cli_panel.ok("server", "power", "Held", "kill")
    wait_until(lambda: show(cli_panel, "Held")["state"] == "offline", 20, "the server being killed")
    install = show(cli_panel, "Held")["install"]["started_at"]
    cli_panel.ok("server", "reinstall", "Held")
    wait_until(lambda: (show(cli_panel, "Held")["install"] or {}).get("started_at") not in (None, install), 30, "it")
    for action in ("suspend", "unsuspend", "reinstall"):
        assert cli_panel.audited(f"server.{action}"), action


def test_what_the_panel_cannot_know_is_unknown(cli_panel: CliPanel) -> None:
    made = create(cli_panel, "Far away")
    agent = cli_panel.product.child("agent")
    os.kill(agent, signal.SIGSTOP)
    try:
        with redis.Redis(unix_socket_path=str(cli_panel.product.data / "run" / "valkey.sock")) as client:
            for key in client.scan_iter("cache:node:*"):
                client.delete(key)
        assert show(cli_panel, made["id"])["state"] == "unknown"
        assert "unknown" in cli_panel.ok("server", "list", "--search", "Far away")
    finally:
        os.kill(agent, signal.SIGCONT)
    wait_until(lambda: show(cli_panel, made["id"])["state"] == "offline", 30, "the node's return")


def test_list_filters_and_sorts(cli_panel: CliPanel) -> None:
    first, second = create(cli_panel, "Listed beta"), create(cli_panel, "Listed alpha")
    cli_panel.user("lister@example.com")

    def names(*options: str) -> list[str]:
        return [row["name"] for row in cli_panel.json("server", "list", "--search", "Listed", *options)]

    assert names("--sort", "name") == ["Listed alpha", "Listed beta"]
    assert names("--sort", "-name") == ["Listed beta", "Listed alpha"]
    assert sorted(names("--state", "offline", "--node", "local", "--blueprint", "generic", "--owner", EMAIL)) == [
        "Listed alpha",
        "Listed beta",
    ]
    assert names("--state", "running") == [] == names("--owner", "lister@example.com") == names("--node", "nope")
    table = cli_panel.ok("server", "list", "--search", "beta").splitlines()
    assert table[0].split() == ["ID", "NAME", "STATE", "NODE", "BLUEPRINT", "OWNER", "ADDRESS"]
    assert table[1].split()[:3] == [first["short_id"], "Listed", "beta"]
    assert cli_panel.run("server", "list", "--state", "asleep")[0] == 2
    twin = create(cli_panel, "Listed alpha")
    ambiguous = cli_panel.refused("server", "show", "Listed alpha")
    assert twin["short_id"] in ambiguous and second["short_id"] in ambiguous


def test_what_is_wrong_is_said(cli_panel: CliPanel) -> None:
    wanted = ("server", "create", "x", "--owner", EMAIL, "--blueprint")
    assert "no such blueprint" in cli_panel.refused(*wanted, "nope")
    assert "NAME=VALUE" in cli_panel.refused(*wanted, "generic", "-v", "nothing")
    assert "variables.NOPE" in cli_panel.refused(*wanted, "generic", "-v", "NOPE=1")
    assert "stellar: memory_mb: Expected" in cli_panel.refused(*wanted, "generic", "--memory", "-5")
    assert "stellar: memory_mb: Expected" in cli_panel.refused("server", "resources", "x", "--memory", "-5")
    assert "no user nobody" in cli_panel.refused("server", "create", "x", "--blueprint", "generic", "--owner", "nobody")
    assert "no such server" in cli_panel.refused("server", "power", "nope", "start")


def test_crashes_and_autostart(cli_panel: CliPanel) -> None:
    made = create(cli_panel, "Crasher", "-v", "START_COMMAND=echo last words; exit 7")
    cli_panel.ok("server", "power", "Crasher", "start")
    wait_until(lambda: cli_panel.json("server", "crashes", made["id"]), 20, "the report")
    cli_panel.ok("server", "power", "Crasher", "kill")
    shown = cli_panel.ok("server", "crashes", "Crasher", "--log")
    assert "exit code 7" in shown and "last words" in shown
    assert show(cli_panel, "Crasher")["autostart"] is True
    assert "stays off" in cli_panel.ok("server", "autostart", "Crasher", "off")
    assert show(cli_panel, "Crasher")["autostart"] is False
    assert "autostart" in cli_panel.ok("server", "show", "Crasher")
