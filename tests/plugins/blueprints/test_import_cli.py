"""``stellar blueprint import`` and ``export``."""

from __future__ import annotations

from pathlib import Path

from cli_parts import CliPanel

from stellar.plugins.blueprints.service import BUILTIN


def test_export_import_and_validate(cli_panel: CliPanel, tmp_path: Path) -> None:
    source = cli_panel.ok("blueprint", "export", "generic")
    assert source == (BUILTIN / "generic" / "blueprint.toml").read_text()
    own = tmp_path / "own.toml"
    own.write_text(source.replace('name = "generic"', 'name = "own-command"'))
    made = cli_panel.json("blueprint", "import", str(own))
    assert (made["name"], made["builtin"]) == ("own-command", False)
    assert "already a blueprint" in cli_panel.refused("blueprint", "import", str(own))
    own.write_text(own.read_text().replace('title = "Any command"', 'title = "Renamed"'))
    assert "Renamed" in cli_panel.ok("blueprint", "import", str(own), "--replace")
    assert "Renamed" in cli_panel.ok("blueprint", "list")
    own.write_text("name = 1\n")
    assert "In the blueprint, name" in cli_panel.refused("blueprint", "import", str(own))
    assert cli_panel.audited("blueprint.import")


def test_a_blueprint_with_files_is_a_zip(cli_panel: CliPanel, tmp_path: Path) -> None:
    archive = tmp_path / "luanti.zip"
    cli_panel.ok("blueprint", "export", "luanti", "--output", str(archive))
    assert "Luanti" in cli_panel.ok("blueprint", "import", str(archive), "--replace")
    assert "Luanti" in cli_panel.ok("blueprint", "import", str(BUILTIN / "luanti"), "--replace")
    assert "ZIP" in cli_panel.refused("blueprint", "export", "luanti", "--format", "toml")
    assert "can't be written" in cli_panel.refused("blueprint", "export", "luanti", "-o", str(tmp_path / "no" / "x"))
    archive.write_bytes(b"PK\x03\x04nonsense")
    assert "ZIP file can't be read" in cli_panel.refused("blueprint", "import", str(archive))
    assert "can't be read" in cli_panel.refused("blueprint", "import", str(tmp_path / "nowhere"))
