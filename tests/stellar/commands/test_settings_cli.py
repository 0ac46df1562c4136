"""``stellar settings``."""

from __future__ import annotations

from pathlib import Path

from cli_parts import COMMAND, CliPanel
from product import Product

VAULT = """
from stellar.extend import Manifest, hookimpl

manifest = Manifest(name="vault", version="1.0.0", stellar=">=0,<2")


@hookimpl
def register_settings(settings):
    settings.add("vault.token", str, "", "What opens the vault", secret=True)
    settings.add("vault.digits", str, "", "Text that looks like a number")
    settings.add("vault.doors", list[int], [], "Which doors there are")
"""


def _panel(tmp_path: Path) -> CliPanel:
    """An installation that isn't running, with a plugin that has settings."""
    folder = tmp_path / "data" / "plugins" / "vault"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(VAULT)
    panel = CliPanel(Product(COMMAND, tmp_path / "data"))
    panel.ok("migrate")
    return panel


def _values(panel: CliPanel) -> dict[str, object]:
    return {row["key"]: row["value"] for row in panel.json("settings", "list")}


def test_settings_are_listed_and_set(tmp_path: Path) -> None:
    panel = _panel(tmp_path)
    assert _values(panel)["auth.open_registration"] is False
    panel.ok("settings", "set", "auth.open_registration", "true")
    panel.ok("settings", "set", "vault.digits", "007")
    panel.ok("settings", "set", "vault.doors", "[1, 2]")
    found = _values(panel)
    assert (found["auth.open_registration"], found["vault.digits"], found["vault.doors"]) == (True, "007", [1, 2])
    (line,) = [line for line in panel.ok("settings", "list").splitlines() if line.startswith("auth.open_registration")]
    assert line.split()[1:3] == ["true", "false"]
    assert "stellar: auth.open_registration: Expected `bool`" in panel.refused(
        "settings", "set", "auth.open_registration", "maybe"
    )
    assert "Did you mean vault.doors" in panel.refused("settings", "set", "vault.door", "[]")
    assert "--value-stdin" in panel.refused("settings", "set", "vault.digits")


def test_a_secret_comes_on_standard_input_and_is_not_shown(tmp_path: Path) -> None:
    panel = _panel(tmp_path)
    assert "Leave the value" in panel.refused("settings", "set", "vault.token", "sesame")
    assert _values(panel)["vault.token"] is None
    panel.ok("settings", "set", "vault.token", "--value-stdin", given="sesame\n")
    assert _values(panel)["vault.token"] == "********"
    for arguments in (("settings", "list"), ("audit", "list", "--action", "settings.change", "--json")):
        assert "sesame" not in panel.ok(*arguments) and "vault.token" in panel.ok(*arguments)
