"""Options that many commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def data_option(command: F) -> F:
    """``--data DIR`` for a command, as the argument ``data``."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="STELLAR_DATA",
        help="The data directory.",
    )(command)


def json_option(command: F) -> F:
    """``--json`` for a command that reads, as the argument ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def confirm(question: str, yes: bool) -> None:
    """Ask before something that can't be undone, unless ``yes``; ``Invalid`` where there is nobody to ask."""
    import sys

    from ..errors import Invalid

    if yes:
        return
    if not sys.stdin.isatty():
        raise Invalid("There is no terminal to ask whether you are sure; add --yes.")
    click.confirm(question, abort=True)
