"""``stellar health``."""

from __future__ import annotations

import json
from pathlib import Path

from cli_parts import COMMAND, CliPanel
from product import Product

from stellar.testing.waiting import wait_until


def test_a_running_panel_is_well(cli_panel: CliPanel) -> None:
    wait_until(lambda: cli_panel.run("health")[0] == 0, 30, "the panel being well")
    found = {check["name"]: check for check in cli_panel.json("health")["checks"]}
    assert found["redis"]["ok"] and found["worker"]["message"] == "1 running"


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    panel = CliPanel(Product(COMMAND, tmp_path / "data"))
    panel.ok("migrate")
    code, out, _ = panel.run("health", "--json")
    found = {check["name"]: check for check in json.loads(out)["checks"]}
    assert code == 1 and found["database"]["ok"] and not found["redis"]["ok"]
    (line,) = [line for line in panel.run("health")[1].splitlines() if line.startswith("redis")]
    assert "wrong" in line and "Redis" in line
