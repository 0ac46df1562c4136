"""The build of the browser code, and what the templates use of it."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "packaging"))

from assets import AssetError, Assets, build  # noqa: E402
from build_hook import shipped_files  # noqa: E402

TEMPLATES = sorted(
    path
    for pattern in ("themes/*/templates", "stellar/web/templates", "plugins/*/templates")
    for folder in ROOT.glob(pattern)
    for path in folder.rglob("*.html")
)


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((ROOT / "packaging/package-lock.json").read_text())
    packages = {name: about for name, about in lock["packages"].items() if name}
    assert len(packages) > 20
    assert not [name for name, about in packages.items() if "resolved" in about]
    assert not [name for name, about in packages.items() if "integrity" not in about]


def test_a_wheel_has_the_trees_without_their_sources() -> None:
    shipped = set(shipped_files(ROOT).values())
    assert "stellar/plugins/servers/__init__.py" in shipped
    assert "stellar/themes/nova/theme.toml" in shipped
    assert any(path.startswith("stellar/plugins/blueprints/builtin/") for path in shipped)
    assert any(path.startswith("stellar/plugins/servers/migrations/") for path in shipped)
    assert any(path.startswith("stellar/plugins/servers/templates/") for path in shipped)
    assert not [path for path in shipped if "/assets/" in path or "__pycache__" in path or path.endswith(".ts")]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The sources of the browser code alone, never built."""
    plugins = [str(path.relative_to(ROOT)) for path in ROOT.glob("plugins/*/assets")]
    for folder in ("packaging", "stellar/web/assets", "themes", *plugins):
        ignored = shutil.ignore_patterns("node_modules", "static", "__pycache__")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    return tmp_path


def test_what_is_built_stays_fresh_until_a_source_changes(checkout: Path) -> None:
    assets = Assets(checkout)
    assert not assets.fresh()
    if not (ROOT / "packaging/node_modules").is_dir():
        build(ROOT)
    (checkout / "packaging/node_modules").symlink_to(ROOT / "packaging/node_modules")
    build(checkout)
    assert assets.fresh()
    names = json.loads((checkout / "plugins/console/static/manifest.json").read_text())
    assert re.fullmatch(r"console-[A-Z0-9]{8}\.js", names["console.js"])
    built = checkout / "plugins/console/static" / names["console.js"]
    assert built.is_file() and built.with_name(f"{built.name}.gz").is_file()
    notices = (checkout / "stellar/web/static/THIRD_PARTY.txt").read_text()
    assert "@xterm/xterm" in notices and "SIL OPEN FONT LICENSE" in notices.upper()
    built.unlink()
    assert not assets.fresh()
    build(checkout)
    (checkout / "plugins/console/assets/lib/history.ts").write_text("export {};\n")
    assert not assets.fresh()


def test_a_page_without_a_terminal_does_not_load_one(checkout: Path) -> None:
    if not (ROOT / "packaging/node_modules").is_dir():
        build(ROOT)
    (checkout / "packaging/node_modules").symlink_to(ROOT / "packaging/node_modules")
    build(checkout)
    core = checkout / "stellar/web/static"
    app = (core / json.loads((core / "manifest.json").read_text())["app.js"]).read_text()
    loaded = [core / "chunks" / name for name in re.findall(r'from"\./chunks/([^"]+)"', app)]
    text = app + "".join(path.read_text() for path in loaded)
    assert "htmx" in text
    assert "xterm" not in text and "cm-editor" not in text


def test_an_unreachable_registry_is_one_sentence(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(checkout / "cache"))
    with pytest.raises(AssetError, match="it needs the npm registry"):
        build(checkout)
    capfd.readouterr()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_templates_hold_nothing_that_the_policy_forbids(template: Path) -> None:
    text = template.read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\ssrc=)", text), "an inline script"
    assert not re.search(r"\son[a-z]+\s*=\s*[\"']", text), "an inline handler"
    assert not re.search(r"\sstyle\s*=\s*[\"']", text), "an inline style"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_templates_name_symbols_and_assets_that_exist(template: Path) -> None:
    text = template.read_text("utf-8")
    sprite = (ROOT / "themes/nova/static/icons.svg").read_text()
    symbols = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    used = set(re.findall(r'ui\.icon\("([^"]+)"\)', text)) | set(re.findall(r'icon_name="([^"$]+)"', text))
    assert used <= symbols
    entries = {entry.partition("=")[0] for entry in Assets(ROOT).entries()}
    for name in re.findall(r"\basset\('([^']+)'\)", text):
        assert name.rpartition(".")[0] in entries
