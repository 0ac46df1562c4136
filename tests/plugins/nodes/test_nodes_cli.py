"""``stellar node``, beside a running panel."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cli_parts import COMMAND, CliPanel
from product import EMAIL, PASSWORD, Product

from stellar.testing.waiting import wait_until


def _node(panel: CliPanel, name: str) -> dict[str, object]:
    return next(row for row in panel.json("node", "list") if row["name"] == name)


def test_a_node_from_its_creation_to_its_removal(cli_panel: CliPanel, tmp_path: Path) -> None:
    made = cli_panel.json("node", "create", "attic", "--address", "192.0.2.7", "--ports", "30000-30009")
    assert "already a node" in cli_panel.refused("node", "create", "attic")
    join = cli_panel.json("node", "join-command", "attic")["join"]["command"].split()
    assert join[:3] == ["stellar", "agent", "--panel"] and join[5] != made["join"]["token"]
    agent = subprocess.Popen(
        [*COMMAND, *join[1:], "--data", str(tmp_path / "agent")],
        env={**cli_panel.product.environment, "STELLAR_NODES_LOCAL": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _node(cli_panel, "attic")["online"], 30, "the node being online")
        (line,) = [line for line in cli_panel.ok("node", "list").splitlines() if line.startswith("attic")]
        assert line.split()[:5] == ["attic", "online", "192.0.2.7", "30000-30009", "0"]
        cli_panel.ok("node", "drain", "attic")
        assert _node(cli_panel, "attic")["draining"] is True
        refused = cli_panel.refused(
            "server", "create", "x", "--blueprint", "generic", "--owner", EMAIL, "--node", "attic"
        )
        assert "drain" in refused
        cli_panel.ok("node", "undrain", "attic")
        assert _node(cli_panel, "attic")["draining"] is False
        assert "--yes" in cli_panel.refused("node", "remove", "attic")
        cli_panel.ok("node", "remove", "attic", "--yes")
        assert "no node attic" in cli_panel.refused("node", "drain", "attic")
    finally:
        agent.terminate()
        agent.wait(20)
    for action in ("node.create", "node.join_token", "node.drain", "node.undrain", "node.delete"):
        assert cli_panel.audited(action), action


def test_without_redis_nobody_knows_which_nodes_are_online(tmp_path: Path) -> None:
    panel = CliPanel(Product(COMMAND, tmp_path / "data"))
    panel.ok("user", "create", "--email", EMAIL, "--name", "Ada", "--admin", "--password-stdin", given=PASSWORD)
    panel.ok("node", "create", "attic")
    code, out, err = panel.run("node", "list")
    assert code == 0 and out.splitlines()[1].split()[:2] == ["attic", "unknown"]
    assert "nobody knows" in err
    assert ["state", "unknown"] in [line.split() for line in panel.ok("node", "show", "attic").splitlines()]


def test_what_is_wrong_is_said(cli_panel: CliPanel) -> None:
    assert "25565-25664" in cli_panel.refused("node", "create", "x", "--ports", "many")
    assert "stellar: name: Expected" in cli_panel.refused("node", "create", "a/b")
    assert "no node nope" in cli_panel.refused("node", "join-command", "nope")
