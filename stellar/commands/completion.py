"""``stellar completion``, and the names that the shell completes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

LIMIT = 100
_PLAIN = re.compile(r"[\w.@+ -]+")
"""Values in which no shell finds more than blanks to quote."""

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem[Any]]"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that lets SHELL complete stellar's commands and names.

    \b
    bash: stellar completion bash > ~/.local/share/bash-completion/completions/stellar
    zsh:  stellar completion zsh > ~/.zfunc/_stellar
    fish: stellar completion fish > ~/.config/fish/completions/stellar.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "stellar", "_STELLAR_COMPLETE").source())


def completes(table: str, column: str, help_column: str, *, either: bool = False) -> Complete:
    """For ``shell_complete``: the values of a column, with another one as their explanation.

    ``either``: a value of the other column is as good, with the first as its explanation.
    """

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        from click.shell_completion import CompletionItem

        data = ctx.params.get("data")
        rows = _rows(data, table, (column, help_column), incomplete)
        if either and incomplete:
            rows += [row for row in _rows(data, table, (help_column, column), incomplete) if _PLAIN.fullmatch(row[0])]
        return [CompletionItem(_typed(value), help=help) for value, help in rows]

    return complete


def asks(values: Callable[[], Iterable[tuple[str, str]]]) -> Complete:
    """For ``shell_complete``: what only the opened panel can tell, each with its explanation."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[Any]]:
        import peewee
        from click.shell_completion import CompletionItem

        from ..errors import DomainError
        from .opened import opened

        try:
            with opened(ctx.params.get("data")):
                found = [(value, help) for value, help in values() if value.startswith(incomplete)]
        except (DomainError, peewee.PeeweeException, OSError):
            return []
        return [CompletionItem(_typed(value), help=help) for value, help in found[:LIMIT]]

    return complete


def _typed(value: str) -> str:
    """The value as the shell's script takes it: that of Bash reads a line with escapes, and quotes nothing itself."""
    in_bash = os.environ.get("_STELLAR_COMPLETE", "").startswith("bash")
    return value.replace(" ", "\\\\ ") if in_bash else value


def _rows(data: Path | None, table: str, columns: tuple[str, str], prefix: str) -> list[tuple[str, str]]:
    """What the database has; nothing at all where it can't be read: the shell has no place for errors."""
    import peewee

    from ..config import load_config
    from ..db import database, handle
    from ..errors import SetupError

    failures: tuple[type[Exception], ...] = (SetupError, peewee.PeeweeException, OSError)
    try:
        config = load_config(data)
        if not config.data.is_dir():
            return []
        handle.connect(config.database_url)
        mark = database.param
        sql = (
            f"select {columns[0]}, {columns[1]} from {table} where substr({columns[0]}, 1, {mark}) = {mark} "  # noqa: S608
            f"order by {columns[0]} limit {LIMIT}"
        )
        return [(str(row[0]), str(row[1])) for row in database.execute_sql(sql, (len(prefix), prefix)).fetchall()]
    except failures:
        return []
