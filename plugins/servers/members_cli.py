"""``stellar server members``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stellar.auth.completion import complete_user
from stellar.commands.groups import Group
from stellar.commands.opened import opened
from stellar.commands.options import data_option, json_option
from stellar.commands.tables import print_done, print_json, print_table

from .completion import complete_server

if TYPE_CHECKING:
    from .member_schemas import Grant


def _grant_options(command: Callable[..., Any]) -> Callable[..., Any]:
    preset = click.option("--preset", metavar="NAME", help="viewer, operator or manager.")
    action = click.option("--action", "actions", multiple=True, help="Or these actions, such as console.read.")
    return preset(action(command))


@click.group(cls=Group)
def members() -> None:
    """List and change who may do what on a server.

    USER is an e-mail address or an id. Invitations come from accounts: make them on the page or through the API.
    """


@members.command("list")
@click.argument("server", shell_complete=complete_server)
@data_option
@json_option
def list_(server: str, data: Path | None, as_json: bool) -> None:
    """List who may do what on SERVER, its owner first, and the invitations that wait."""
    from stellar.auth.permissions import SYSTEM

    from . import invitations
    from . import members as service
    from .lookup import find_server

    with opened(data):
        ref = find_server(server)
        found, waiting = service.list_members(SYSTEM, ref), invitations.list_waiting(SYSTEM, ref)
    if as_json:
        print_json({"members": found, "invitations": waiting})
        return
    lines = [
        *((one.user.email, "owner" if one.owner else one.preset or ", ".join(one.actions)) for one in found),
        *((one.email, f"invited: {one.preset or ', '.join(one.actions)}") for one in waiting),
    ]
    print_table(("WHO", "MAY"), lines)


@members.command()
@click.argument("server", shell_complete=complete_server)
@click.argument("user", shell_complete=complete_user)
@_grant_options
@data_option
@json_option
def add(server: str, user: str, data: Path | None, as_json: bool, **grant: Any) -> None:
    """Make USER a member of SERVER."""
    from stellar.auth.lookup import find_user
    from stellar.auth.permissions import SYSTEM

    from . import members as service
    from .lookup import find_server

    with opened(data):
        found = service.add(SYSTEM, find_server(server), find_user(user).email, _grant(**grant))
    print_done(as_json, found, f"{found.user.name} is a member now.")


@members.command()
@click.argument("server", shell_complete=complete_server)
@click.argument("user", shell_complete=complete_user)
@_grant_options
@data_option
@json_option
def change(server: str, user: str, data: Path | None, as_json: bool, **grant: Any) -> None:
    """Change what USER may do on SERVER."""
    from stellar.auth.lookup import find_user
    from stellar.auth.permissions import SYSTEM

    from . import members as service
    from .lookup import find_server

    with opened(data):
        found = service.change(SYSTEM, find_server(server), find_user(user).id, _grant(**grant))
    print_done(as_json, found, f"Changed what {found.user.name} may do.")


@members.command()
@click.argument("server", shell_complete=complete_server)
@click.argument("user", shell_complete=complete_user)
@data_option
def remove(server: str, user: str, data: Path | None) -> None:
    """Take USER, or an invitation to that address, away from SERVER."""
    from stellar.auth.lookup import find_user
    from stellar.auth.permissions import SYSTEM

    from . import invitations
    from . import members as service
    from .lookup import find_server

    with opened(data):
        ref = find_server(server)
        waiting = next((one.id for one in invitations.list_waiting(SYSTEM, ref) if one.email == user), None)
        if waiting is not None:
            invitations.withdraw(SYSTEM, ref, waiting)
        else:
            service.remove(SYSTEM, ref, find_user(user).id)
    click.echo("The invitation is withdrawn." if waiting else "Removed.")


def _grant(preset: str | None, actions: tuple[str, ...]) -> Grant:
    from .member_schemas import Grant

    return Grant(preset, list(actions) or None)
