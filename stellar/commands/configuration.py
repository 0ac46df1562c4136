"""``stellar config``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
import msgspec

from .groups import Group
from .options import data_option, json_option
from .tables import print_json, print_table

if TYPE_CHECKING:
    from ..config import Config
    from ..panel import Panel

SECRET = re.compile(r"password|secret|token|key\Z", re.IGNORECASE)
HIDDEN = "********"


class Check(msgspec.Struct):
    """One thing that was looked at; ``problem`` is a sentence, ``note`` one that is no problem."""

    name: str
    ok: bool
    problem: str | None = None
    note: str | None = None


@click.group(cls=Group, invoke_without_command=True)
@data_option
@json_option
@click.pass_context
def config(ctx: click.Context, data: Path | None, as_json: bool) -> None:
    """Show or check the configuration; without a command, show it."""
    if ctx.invoked_subcommand is None:
        _show(data, as_json)


@config.command()
@data_option
@json_option
@click.pass_context
def show(ctx: click.Context, data: Path | None, as_json: bool) -> None:
    """Show the configuration that is in force, secrets hidden."""
    assert ctx.parent is not None
    _show(data or ctx.parent.params["data"], as_json or ctx.parent.params["as_json"])


@config.command()
@data_option
@json_option
@click.pass_context
def check(ctx: click.Context, data: Path | None, as_json: bool) -> None:
    """Check the configuration, the plugins, the database and Redis; the exit code is 1 when something is wrong."""
    assert ctx.parent is not None
    checks = list(_checks(data or ctx.parent.params["data"]))
    if as_json or ctx.parent.params["as_json"]:
        print_json(checks)
    else:
        rows = [(one.name, "ok" if one.ok else "wrong", one.problem or one.note or "") for one in checks]
        print_table(("CHECK", "STATE", ""), rows)
    if not all(one.ok for one in checks):
        raise SystemExit(1)


def _show(data: Path | None, as_json: bool) -> None:
    from ..config import load_config
    from ..panel import load_plugins

    settings = load_config(data)
    load_plugins(settings)
    shown = {name: _hidden(name, msgspec.to_builtins(section)) for name, section in settings.sections().items()}
    if as_json:
        print_json({"data": str(settings.data), "file": settings.source, **shown})
        return
    click.echo(f"# data directory: {settings.data}\n# file: {settings.source}")
    for name, values in shown.items():
        click.echo(f"\n[{name}]")
        for key, value in values.items():
            click.echo(f"{key} = {msgspec.json.encode(value).decode()}")


def _hidden(key: str, value: Any) -> Any:
    """A value as it may be shown; also what is in lists and tables."""
    if isinstance(value, dict):
        return {name: _hidden(name, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_hidden(key, inner) for inner in value]
    if not isinstance(value, str) or not value:
        return value
    if SECRET.search(key):
        return HIDDEN
    if password := urlsplit(value).password:
        return value.replace(f":{password}@", f":{HIDDEN}@")
    return value


def _checks(data: Path | None) -> Iterator[Check]:
    from ..config import load_config
    from ..errors import SetupError
    from ..panel import boot

    try:
        settings = load_config(data)
        panel = boot("cli", config=settings)
    except SetupError as error:
        yield Check("configuration", False, error.message)
        return
    yield Check("configuration", True, note=settings.source if Path(settings.source).exists() else "no file: defaults")
    for plugin in panel.plugins.plugins:
        if plugin.error:
            yield Check(f"plugin {plugin.name}", False, plugin.error.strip().splitlines()[-1])
    if settings.database_url.startswith("sqlite:") and not settings.data.is_dir():
        yield Check("database", True, note=f"{settings.data} is made by the first `stellar run`")
        return
    yield from _connections(panel, settings)


def _connections(panel: Panel, settings: Config) -> Iterator[Check]:
    from ..config import prepare_data
    from ..db.migrate import pending
    from ..errors import SetupError

    try:
        prepare_data(settings)
        panel.open()
    except SetupError as error:
        yield Check("database", False, error.message)
        return
    try:
        missing = sum(len(names) for names in pending(panel.migrations()).values())
        problem = f"{missing} migrations are pending: run `stellar migrate`" if missing else None
        yield Check("database", not missing, problem, "up to date" if not missing else None)
        yield _redis(settings)
    finally:
        panel.stop()


def _redis(settings: Config) -> Check:
    from ..bus import connections, sync

    try:
        sync.client().ping()
    except connections.Gone:
        if settings.redis_embedded:
            return Check("redis", True, note="the embedded one is not running; `stellar run` starts it")
        return Check("redis", False, "Redis does not answer at redis.url")
    return Check("redis", True, note="embedded" if settings.redis_embedded else "answers")
