"""``stellar user show``, ``change`` and ``delete``: what needs to know what an account owns."""

from __future__ import annotations

from pathlib import Path

import click

from stellar.auth.completion import complete_user
from stellar.commands.bodies import body, given
from stellar.commands.opened import opened, require_redis
from stellar.commands.options import confirm, data_option, json_option
from stellar.commands.tables import print_done, print_json, print_pairs


@click.command()
@click.argument("user", shell_complete=complete_user)
@data_option
@json_option
def show(user: str, data: Path | None, as_json: bool) -> None:
    """Show USER."""
    from stellar.auth.lookup import find_user

    from .accounts import get_account

    with opened(data):
        found = get_account(find_user(user).id)
    if as_json:
        print_json(found)
        return
    pairs = [
        ("id", found.id),
        ("e-mail", found.email),
        ("waits to be confirmed", found.pending_email),
        ("name", found.name),
        ("role", found.role),
        ("state", "suspended" if found.suspended else "active"),
        ("servers", found.servers),
        ("created", found.created_at),
    ]
    print_pairs(pairs)


@click.command()
@click.argument("user", shell_complete=complete_user)
@click.option("--name", help="Another name to show.")
@data_option
@json_option
def change(user: str, name: str | None, data: Path | None, as_json: bool) -> None:
    """Change what is given of USER; `stellar user role` and `suspend` change what they may do."""
    from stellar.auth.lookup import find_user
    from stellar.auth.permissions import SYSTEM

    from . import service
    from .schemas import PatchUser

    wanted = body(PatchUser, given({"name": name}))
    with opened(data):
        found = find_user(user)
        require_redis()
        changed = service.change_account(SYSTEM, found.id, wanted)
    print_done(as_json, changed, f"Changed {changed.email}.")


@click.command()
@click.argument("user", shell_complete=complete_user)
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_option
def delete(user: str, yes: bool, data: Path | None) -> None:
    """Delete USER, who owns no servers."""
    from stellar.auth.lookup import find_user
    from stellar.auth.permissions import SYSTEM

    from . import service

    with opened(data):
        found = find_user(user)
        require_redis()
        confirm(f"Delete the account {found.email}?", yes)
        service.delete_account(SYSTEM, found.id)
    click.echo(f"Deleted the account {found.email}.")
