"""``stellar settings``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from .completion import asks
from .groups import Group
from .opened import opened
from .options import data_option, json_option
from .tables import print_json, print_table


def _keys() -> Iterator[tuple[str, str]]:
    from .. import settings

    return ((one.key, one.description) for one in settings.listing())


complete_key = asks(_keys)


@click.group(cls=Group)
def settings() -> None:
    """List and change what can be set while the panel runs."""


@settings.command("list")
@data_option
@json_option
def list_(data: Path | None, as_json: bool) -> None:
    """List the settings; of a secret one only whether it is set."""
    import msgspec

    from .. import settings

    with opened(data):
        found = settings.listing()
    if as_json:
        print_json(found)
        return
    rows = [
        (one.key, *(msgspec.json.encode(value).decode() for value in (one.value, one.default)), one.description)
        for one in found
    ]
    print_table(("KEY", "VALUE", "DEFAULT", "DESCRIPTION"), rows)


@settings.command("set")
@click.argument("key", shell_complete=complete_key)
@click.argument("value", required=False)
@click.option("--value-stdin", is_flag=True, help="Read the value from standard input (its first line).")
@data_option
def set_(key: str, value: str | None, value_stdin: bool, data: Path | None) -> None:
    """Set KEY to VALUE: text as it is, anything else as in JSON.

    A secret one is asked for, or comes on standard input: others could read it on the command line.
    """
    from .. import settings
    from ..auth.permissions import SYSTEM
    from ..errors import Invalid

    with opened(data):
        setting = settings.find(key)
        if value is not None and (setting.secret or value_stdin):
            raise Invalid(f"Leave the value of {key} out: it is asked for, or comes with --value-stdin.")
        text = _asked(secret=setting.secret, from_stdin=value_stdin) if value is None else value
        settings.put(SYSTEM, key, settings.read(setting, text))
    click.echo(f"{key} is set.")


def _asked(*, secret: bool, from_stdin: bool) -> str:
    from ..errors import Invalid

    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Invalid("There is no terminal to ask for the value; use --value-stdin.")
    answer: str = click.prompt("Value", hide_input=secret, confirmation_prompt=secret)
    return answer
