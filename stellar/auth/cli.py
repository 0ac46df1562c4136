"""``stellar user``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..commands.options import data_option, json_option


@click.group()
def user() -> None:
    """Create and list users."""


@user.command()
@click.option("--email", required=True, help="The e-mail address to sign in with.")
@click.option("--name", default="", help="The name to show.  [default: the first part of the address]")
@click.option("--admin", is_flag=True, help="Make the account an administrator's.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input (its first line).")
@data_option
def create(email: str, name: str, admin: bool, password_stdin: bool, data: Path | None) -> None:
    """Create a user; asks for the password, unless it comes on standard input."""
    from .. import audit
    from ..panel import open_prepared
    from . import users
    from .permissions import SYSTEM

    panel = open_prepared(data)
    made = users.create(email, _password(password_stdin), name, "admin" if admin else "user")
    audit.record(SYSTEM, "user.create", target_type="user", target_id=made.id, details={"email": made.email})
    panel.stop()
    click.echo(f"Created {'the administrator' if admin else 'the user'} {made.email}.")


@user.command("list")
@data_option
@json_option
def list_users(data: Path | None, as_json: bool) -> None:
    """List the users."""
    import msgspec

    from ..panel import open_prepared
    from . import users
    from .schemas import view_of

    panel = open_prepared(data)
    found = [view_of(one) for one in users.every()]
    panel.stop()
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    for one in found:
        state = "suspended" if one.suspended else "active"
        click.echo(f"{one.email:<40} {one.role:<6} {state:<10} {one.name}")


def _password(from_stdin: bool) -> str:
    from ..errors import Invalid

    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Invalid("There is no terminal to ask for the password; use --password-stdin.")
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return answer
