"""config.example.toml documents every key, with its default."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from stellar.config import load_config
from stellar.panel import load_plugins

EXAMPLE = Path(__file__).parents[1] / "config.example.toml"


def uncommented() -> dict[str, dict[str, object]]:
    """The example with every default switched on."""
    return tomllib.loads(re.sub(r"^# (\w+ = )", r"\1", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE))


@pytest.fixture
def sections(tmp_path: Path) -> dict[str, msgspec.Struct]:
    config = load_config(tmp_path, {})
    load_plugins(config)
    return config.sections()


def test_every_key_is_there_with_its_default(sections: dict[str, msgspec.Struct]) -> None:
    assert uncommented() == {name: msgspec.to_builtins(section) for name, section in sections.items()}


def test_as_it_is_the_example_changes_nothing(tmp_path: Path, sections: dict[str, msgspec.Struct]) -> None:
    (tmp_path / "config.toml").write_text(EXAMPLE.read_text("utf-8"), "utf-8")
    config = load_config(tmp_path, {})
    load_plugins(config)
    assert config.sections() == sections


def test_switched_on_the_example_is_accepted(tmp_path: Path) -> None:
    text = re.sub(r"^# (\w+ = )", r"\1", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE)
    (tmp_path / "config.toml").write_text(text, "utf-8")
    load_plugins(load_config(tmp_path, {}))
