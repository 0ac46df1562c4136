"""``stellar node show``, ``change``, ``rotate-key``, ``revoke``, ``ports`` and ``stellar location``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cli_parts import CliPanel

from stellar.testing.waiting import wait_until


@pytest.fixture
def cellar(cli_panel: CliPanel) -> Iterator[dict[str, Any]]:
    """A node that no machine has joined."""
    made: dict[str, Any] = cli_panel.json("node", "create", "cellar", "--ports", "31000-31009")
    yield made
    cli_panel.ok("node", "remove", made["id"], "--yes")


def test_show(cli_panel: CliPanel, cellar: dict[str, Any]) -> None:
    shown = cli_panel.json("node", "show", "cellar")
    assert shown["node"]["id"] == cellar["id"] and shown["stats"]["ports"] == 10
    lines = cli_panel.ok("node", "show", "cellar").splitlines()
    assert ["state", "not", "joined"] in [line.split() for line in lines]
    wait_until(lambda: cli_panel.json("node", "show", "local")["stats"]["metrics"], 30, "the local node's figures")
    local = cli_panel.ok("node", "show", "local")
    assert "online" in local and "GiB" in local
    assert "\nRuntimes:\nProcess  yes\n" in local and "\nProtection of servers in process:\n" in local
    assert "Did you mean cellar?" in cli_panel.refused("node", "show", "celar")


def test_change(cli_panel: CliPanel, cellar: dict[str, Any]) -> None:
    cli_panel.ok("location", "create", "Berlin")
    ranges = ("--ports", "31000-31004, 31010-31014")
    changed = cli_panel.json("node", "change", "cellar", "--address", "192.0.2.9", "--location", "Berlin", *ranges)
    assert (changed["address"], changed["location"]["name"]) == ("192.0.2.9", "Berlin")
    assert changed["port_ranges"] == [{"first": 31000, "last": 31004}, {"first": 31010, "last": 31014}]
    assert "Berlin is the location of 1 node" in cli_panel.refused("location", "delete", "Berlin", "--yes")
    assert cli_panel.json("node", "change", "cellar", "--location", "", "--note", "dusty")["location"] is None
    assert cli_panel.json("node", "show", "cellar")["node"]["note"] == "dusty"
    cli_panel.ok("location", "delete", "Berlin", "--yes")
    assert cli_panel.ok("node", "change", "cellar", "--name", "vault") == "Changed the node vault.\n"
    assert cli_panel.audited("node.update")[0]["details"] == {"name": "vault"}


def test_a_change_that_is_refused_names_what_is_wrong(cli_panel: CliPanel, cellar: dict[str, Any]) -> None:
    assert "Say what to change" in cli_panel.refused("node", "change", "cellar")
    assert "stellar: address: " in cli_panel.refused("node", "change", "cellar", "--address", "a b")
    assert "--ports" in cli_panel.refused("node", "change", "cellar", "--ports", "31000-")
    assert "overlap" in cli_panel.refused("node", "change", "cellar", "--ports", "1000-1010,1005-1020")
    assert "no location Nowhere" in cli_panel.refused("node", "change", "cellar", "--location", "Nowhere")
    assert "already a node" in cli_panel.refused("node", "change", "cellar", "--name", "local")


def test_ports(cli_panel: CliPanel, cellar: dict[str, Any]) -> None:
    assert cli_panel.json("node", "ports", "reserve", "cellar", "31003", "--note", "proxy")["reserved"] is True
    assert "reserved already" in cli_panel.refused("node", "ports", "reserve", "cellar", "31003")
    assert "not one of" in cli_panel.refused("node", "ports", "reserve", "cellar", "31010")
    assert "stellar: port: " in cli_panel.refused("node", "ports", "reserve", "cellar", "70000")
    (line,) = cli_panel.ok("node", "ports", "list", "cellar", "--reserved").splitlines()[1:]
    assert line.split() == ["31003", "reserved", "both", "-", "proxy"]
    cli_panel.ok("node", "ports", "release", "cellar", "31003")
    listed = cli_panel.json("node", "ports", "list", "cellar")
    assert (listed["free"], listed["allocations"]) == (10, [])
    assert "neither reserved" in cli_panel.refused("node", "ports", "release", "cellar", "31003")
    for action in ("node.port_reserve", "node.port_release"):
        assert cli_panel.audited(action), action


def test_locations(cli_panel: CliPanel) -> None:
    made = cli_panel.json("location", "create", "Oslo", "--description", "By the fjord")
    assert "already a location" in cli_panel.refused("location", "create", "Oslo")
    assert "stellar: name: " in cli_panel.refused("location", "create", "a/b")
    cli_panel.ok("location", "change", "Oslo", "--name", "Bergen")
    assert "Say what to change" in cli_panel.refused("location", "change", "Bergen")
    (line,) = [line for line in cli_panel.ok("location", "list").splitlines() if line.startswith("Bergen")]
    assert line.split() == ["Bergen", "0", "By", "the", "fjord", made["id"]]
    assert "--yes" in cli_panel.refused("location", "delete", "Bergen")
    cli_panel.ok("location", "delete", "Bergen", "--yes")
    assert "no location Bergen" in cli_panel.refused("location", "delete", "Bergen", "--yes")


def test_a_key_is_rotated_and_revoked(cli_panel: CliPanel, cellar: dict[str, Any]) -> None:
    wait_until(lambda: cli_panel.json("node", "show", "local")["node"]["online"], 30, "the local node being online")
    assert "has a new key" in cli_panel.ok("node", "rotate-key", "local")
    wait_until(lambda: cli_panel.json("node", "show", "local")["node"]["online"], 30, "its being online again")
    assert "offline" in cli_panel.refused("node", "rotate-key", "cellar")
    assert "--yes" in cli_panel.refused("node", "revoke", "cellar")
    cli_panel.ok("node", "revoke", "cellar", "--yes")
    for action in ("node.rotate_key", "node.revoke"):
        assert cli_panel.audited(action), action
