"""Plugins: what is refused and why, and that one plugin's failure stays its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from stellar.errors import SetupError
from stellar.extend import discovery, manager
from stellar.extend.manager import PluginManager

Write = Callable[[str, str], None]

HEAD = """
from stellar.extend import Manifest, hookimpl
manifest = Manifest(name="{name}", version="1.0")
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a plugin into the data directory; built-in ones are left out."""
    monkeypatch.setattr(discovery, "_builtin", lambda: iter(()))
    monkeypatch.setattr(discovery, "_installed", lambda: iter(()))

    def write_plugin(name: str, body: str) -> None:
        folder = tmp_path / "plugins" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(HEAD.format(name=name) + dedent(body), "utf-8")

    return write_plugin


def reason(plugins: PluginManager, name: str) -> str:
    found = next(plugin for plugin in plugins.plugins if plugin.name == name)
    assert not found.active
    return found.error or ""


def test_a_plugin_in_the_data_directory_is_loaded(write: Write, tmp_path: Path) -> None:
    write("mine", "@hookimpl\ndef register_commands(cli):\n    cli.add('mine', 'mine.cli:main', 'Mine.')\n")
    plugins = PluginManager(tmp_path)
    plugins.stage(["register_commands"])
    assert [command.name for command in plugins.registry.commands] == ["mine"]


def test_safe_mode_leaves_it_out(write: Write, tmp_path: Path) -> None:
    write("mine", "")
    assert PluginManager(tmp_path, safe=True).plugins == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("manifest = Manifest(name='bad', version='1', stellar='>=2')", "needs the plugin API >=2"),
        ("manifest = Manifest(name='bad', version='1', stellar='newest')", "not a version specifier"),
        ("manifest = Manifest(name='Bad!', version='1')", "lower-case"),
        ("manifest = None", "has no manifest"),
        ("manifest = Manifest(name='bad', version='1', requires=('missing',))", "requires missing"),
        ("import a_module_that_does_not_exist", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        ("@hookimpl\nasync def startup(app): ...", "is async"),
        ("@hookimpl\ndef startup(*, app): ...", "keyword-only"),
        ("@hookimpl\ndef startup(app=None): ...", "default"),
        ("@hookimpl\ndef no_such_hook(): ...", "no_such_hook"),
        ("@hookimpl\ndef startup(application): ...", "application"),
    ],
)
def test_a_bad_plugin_is_disabled_with_its_reason(write: Write, tmp_path: Path, body: str, why: str) -> None:
    write("good", "")
    write("bad", body)
    plugins = PluginManager(tmp_path)
    bad = next(plugin for plugin in plugins.plugins if not plugin.active)
    assert why in (bad.error or "")
    assert [plugin.name for plugin in plugins.active()] == ["good"]


def test_registrations_count_all_or_not_at_all(write: Write, tmp_path: Path) -> None:
    write("half", "@hookimpl\ndef register_commands(cli):\n    cli.add('half', 'x:y', 'Half.')\n    1 / 0\n")
    write("other", "@hookimpl\ndef register_commands(cli):\n    cli.add('other', 'x:y', 'Other.')\n")
    plugins = PluginManager(tmp_path)
    plugins.stage(["register_commands"])
    assert [command.name for command in plugins.registry.commands] == ["other"]
    assert "ZeroDivisionError" in reason(plugins, "half")


def test_two_plugins_cannot_have_the_same_name_for_a_thing(write: Write, tmp_path: Path) -> None:
    for name in ("first", "second"):
        write(name, "@hookimpl\ndef register_jobs(jobs):\n    jobs.add('same', 'x:y')\n")
    plugins = PluginManager(tmp_path)
    plugins.stage(["register_jobs"])
    assert "registered by first and by second" in reason(plugins, "second")
    assert len(plugins.registry.jobs) == 1


@pytest.mark.parametrize("path", ["/nodes", "/x/other/thing", "/x/minefield", "x/mine"])
def test_third_party_routes_stay_below_their_own_prefix(write: Write, tmp_path: Path, path: str) -> None:
    write("mine", f"@hookimpl\ndef register_routes(routes):\n    routes.add({path!r}, object())\n")
    plugins = PluginManager(tmp_path)
    plugins.stage(["register_routes"])
    assert path in reason(plugins, "mine")


def test_a_hook_that_raises_does_not_keep_others_from_theirs(write: Write, tmp_path: Path) -> None:
    write("a_bad", "@hookimpl\ndef template_vars(view):\n    1 / 0\n")
    write("b_good", "@hookimpl\ndef template_vars():\n    return {'x': 1}\n")
    plugins = PluginManager(tmp_path)
    assert [result for _, result in plugins.each("template_vars", view={})] == [{"x": 1}]
    with pytest.raises(ZeroDivisionError):
        plugins.strict("template_vars", view={})


def test_requirements_come_first(write: Write, tmp_path: Path) -> None:
    write("aaa", "manifest = Manifest(name='aaa', version='1', requires=('zzz',))")
    write("zzz", "")
    assert [plugin.name for plugin in PluginManager(tmp_path).active()] == ["zzz", "aaa"]


def test_a_circle_of_requirements_is_refused(write: Write, tmp_path: Path) -> None:
    write("one", "manifest = Manifest(name='one', version='1', requires=('two',))")
    write("two", "manifest = Manifest(name='two', version='1', requires=('one',))")
    plugins = PluginManager(tmp_path)
    assert plugins.active() == []


def test_a_broken_built_in_plugin_is_fatal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ValueError("broken")

    candidate = discovery.Candidate("core_part", "built-in", True, broken)  # type: ignore[arg-type]
    monkeypatch.setattr(manager, "find_plugins", lambda data, safe: iter([candidate]))
    with pytest.raises(SetupError, match="core_part is broken"):
        PluginManager(tmp_path)


def test_a_hook_that_says_what_to_mend_is_heard(write: Write, tmp_path: Path) -> None:
    raising = "@hookimpl\ndef prepare_run():\n    raise SetupError('Mend it.')\n"
    write("a_bad", "from stellar.errors import SetupError\n" + raising)
    plugins = PluginManager(tmp_path)
    with pytest.raises(SetupError, match=r"Mend it\."):
        list(plugins.each("prepare_run", app=None))


def test_the_log_names_a_disabled_plugin_in_one_line(
    write: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write("bad", "1 / 0")
    PluginManager(tmp_path)
    (message,) = [record.getMessage() for record in caplog.records if "bad" in record.getMessage()]
    assert "ZeroDivisionError: division by zero" in message
    assert "\n" not in message
