"""``stellar audit``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from stellar.auth.completion import complete_user
from stellar.commands.bodies import body
from stellar.commands.groups import Group
from stellar.commands.opened import opened
from stellar.commands.options import data_option, json_option
from stellar.commands.tables import print_json, print_table

if TYPE_CHECKING:
    from stellar.audit import EntryView

    from .audit_log import AuditFilter

F = TypeVar("F", bound=Callable[..., Any])
FILTERS = (
    click.option("--actor", shell_complete=complete_user, help="What they did: an e-mail address or an id."),
    click.option("--action", help="An action such as user.role, or user.* for all that begin so."),
    click.option("--target", help="What was done to this: an id, a type, or type:id."),
    click.option("--address", help="What came from this address."),
    click.option("--since", metavar="DAY", help="From this day (UTC) on, such as 2026-01-31."),
    click.option("--until", metavar="DAY", help="Until this day (UTC), which is included."),
)


def filters(command: F) -> F:
    """The options that choose lines, as on the page."""
    for option in reversed(FILTERS):
        command = option(command)
    return command


@click.group(cls=Group)
def audit() -> None:
    """Read and export the log of who did what to which, from where."""


@audit.command("list")
@filters
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many lines.")
@data_option
@json_option
def list_(limit: int, data: Path | None, as_json: bool, **chosen: str | None) -> None:
    """List the lines, the newest first."""
    wanted = _filter(chosen)
    with opened(data):
        found = _newest(wanted, limit)
    if as_json:
        print_json(found)
        return
    rows = [(one.at, _who(one), one.action, _target(one), one.address or None) for one in found]
    print_table(("AT", "WHO", "ACTION", "TARGET", "FROM"), rows, "There are no such lines.")


@audit.command()
@filters
@click.option("--format", "kind", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="The file to write.  [default: standard output]")
@data_option
def export(kind: Literal["csv", "jsonl"], output: Path | None, data: Path | None, **chosen: str | None) -> None:
    """Export all lines, the newest first, as CSV or JSON lines."""
    from stellar import audit
    from stellar.auth.permissions import SYSTEM
    from stellar.errors import Invalid

    from .audit_log import lines

    wanted = _filter(chosen)

    async def write(put: Callable[[bytes], object]) -> None:
        async for part in lines(wanted, kind):
            put(part)

    with opened(data):
        try:
            if output is None:
                asyncio.run(write(sys.stdout.buffer.write))
            else:
                with output.open("wb") as file:
                    asyncio.run(write(file.write))
        except OSError as error:
            raise Invalid(f"{output or 'The output'} can't be written: {error.strerror}.") from None
        audit.record(SYSTEM, "audit.export")
    if output is not None:
        click.echo(f"Wrote {output}.", err=True)


def _filter(chosen: dict[str, str | None]) -> AuditFilter:
    from .audit_page import AuditForm, filter_of

    return filter_of(body(AuditForm, {name: value for name, value in chosen.items() if value is not None}), "UTC")


def _newest(wanted: AuditFilter, limit: int) -> list[EntryView]:
    from stellar.audit import MAX_PAGE

    from .audit_log import page

    found: list[EntryView] = []
    before: int | None = None
    while len(found) < limit:
        part = page(wanted, before, min(MAX_PAGE, limit - len(found)))
        found += part.entries
        before = part.next
        if before is None:
            break
    return found


def _who(entry: EntryView) -> str:
    return f"{entry.impersonator_name} as {entry.actor_name}" if entry.impersonator_name else entry.actor_name


def _target(entry: EntryView) -> str | None:
    return ":".join(part for part in (entry.target_type, entry.target_id) if part) or None
