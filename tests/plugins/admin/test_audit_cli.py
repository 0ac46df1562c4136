"""``stellar audit``."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli_parts import CliPanel


def test_lines_are_listed_by_what_they_say(cli_panel: CliPanel) -> None:
    made = cli_panel.user("audited@example.com")
    cli_panel.ok("user", "suspend", "audited@example.com")
    found = cli_panel.json("audit", "list", "--target", made["id"])
    assert [line["action"] for line in found] == ["user.suspend", "user.create"]
    assert [line["action"] for line in cli_panel.json("audit", "list", "--action", "user.*", "--limit", "1")] == [
        "user.suspend"
    ]
    today = datetime.now(UTC).date()
    tomorrow = str(today + timedelta(1))
    assert cli_panel.json("audit", "list", "--since", tomorrow) == []
    assert cli_panel.json("audit", "list", "--until", tomorrow, "--target", f"user:{made['id']}") == found
    (line,) = cli_panel.ok("audit", "list", "--target", made["id"], "--limit", "1").splitlines()[1:]
    assert line.split()[3:] == ["user.suspend", f"user:{made['id']}", "-"]
    assert "stellar: Give a day" in cli_panel.refused("audit", "list", "--since", "yesterday")
    assert cli_panel.json("audit", "list", "--actor", "nobody@example.com") == []


def test_all_lines_are_exported(cli_panel: CliPanel, tmp_path: Path) -> None:
    made = cli_panel.user("exported@example.com")
    chosen = ("--target", made["id"])
    (row,) = csv.DictReader(io.StringIO(cli_panel.ok("audit", "export", *chosen)))
    assert (row["action"], row["target_id"]) == ("user.create", made["id"])
    path = tmp_path / "audit.jsonl"
    cli_panel.ok("audit", "export", "--format", "jsonl", "--output", str(path), *chosen)
    assert [json.loads(line)["action"] for line in path.read_text().splitlines()] == ["user.create"]
    assert "can't be written" in cli_panel.refused("audit", "export", "--output", str(tmp_path))
    assert cli_panel.audited("audit.export")
