"""``stellar blueprint import``, ``update`` and ``export`` with eggs."""

from __future__ import annotations

import json
from pathlib import Path

from cli_parts import CliPanel
from egg_parts import egg, variable

HOSTNAME = egg(variables=[variable("HOSTNAME")], startup="run {{HOSTNAME}}")


def test_in_and_out(cli_panel: CliPanel, tmp_path: Path) -> None:
    path = tmp_path / "egg-some.json"
    path.write_text(json.dumps(HOSTNAME))
    code, out, err = cli_panel.run("blueprint", "import", str(path))
    assert (code, out) == (0, "Imported Some Game (some-game).\n")
    assert "variables.HOSTNAME is called SERVER_HOSTNAME" in err
    assert "is there already" in cli_panel.refused("blueprint", "import", str(path))
    made = cli_panel.json("blueprint", "import", "-", "--replace", given=json.dumps({**HOSTNAME, "name": "Second"}))
    assert (made["name"], made["report"][0]["path"]) == ("second", "variables.HOSTNAME")
    table = json.loads(cli_panel.ok("blueprint", "export", "some-game", "--format", "ptdl_v2"))
    assert [one["env_variable"] for one in table["variables"]] == ["HOSTNAME"]
    assert "PLCN_v3" in cli_panel.ok("blueprint", "export", "some-game", "--format", "plcn_v3")
    assert "private network" in cli_panel.refused("blueprint", "import", "http://127.0.0.1:1/egg.json")
    assert "has no update_url" in cli_panel.refused("blueprint", "update", "some-game")
    path.write_text("{}")
    assert "no known format" in cli_panel.refused("blueprint", "import", str(path))
