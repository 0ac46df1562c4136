"""``stellar role``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..commands.bodies import body, given
from ..commands.groups import Group
from ..commands.opened import opened, require_redis
from ..commands.options import confirm, data_option, json_option
from ..commands.tables import print_done, print_json, print_pairs, print_table
from .completion import complete_action, complete_role

if TYPE_CHECKING:
    from .roles import RoleView

actions_option = click.option(
    "--action", "actions", multiple=True, shell_complete=complete_action, help="An action that it allows; repeat it."
)


@click.group(cls=Group)
def role() -> None:
    """List, show, create, change and delete roles.

    `stellar user role` gives a user one.
    """


@role.command("list")
@data_option
@json_option
def list_(data: Path | None, as_json: bool) -> None:
    """List the roles, the built-in ones first."""
    from . import roles

    with opened(data):
        found = roles.listing()
    if as_json:
        print_json(found)
        return
    rows = [(one.name, one.title, _kind(one), one.users, len(one.actions)) for one in found]
    print_table(("NAME", "TITLE", "KIND", "USERS", "ACTIONS"), rows)


@role.command()
@click.argument("role", shell_complete=complete_role)
@data_option
@json_option
def show(role: str, data: Path | None, as_json: bool) -> None:
    """Show ROLE and what it allows."""
    from . import roles
    from .lookup import find_role

    with opened(data):
        found = roles.show(find_role(role))
    if as_json:
        print_json(found)
        return
    print_pairs([("name", found.name), ("title", found.title), ("kind", _kind(found)), ("users", found.users)])
    click.echo("\n".join(["allows:", *(f"  {action}" for action in found.actions)]))


@role.command("actions")
@data_option
@json_option
def list_actions(data: Path | None, as_json: bool) -> None:
    """List the actions of which a role can be made."""
    from . import permissions

    with opened(data):
        found = sorted(permissions.known(), key=lambda one: one.action)
    rows = [(one.action, one.plugin, one.description) for one in found]
    if as_json:
        print_json([dict(zip(("action", "plugin", "description"), row, strict=True)) for row in rows])
        return
    print_table(("ACTION", "PLUGIN", "DESCRIPTION"), rows)


@role.command()
@click.argument("name")
@click.option("--title", default="", help="What people read.  [default: the name]")
@actions_option
@data_option
@json_option
def create(name: str, title: str, actions: tuple[str, ...], data: Path | None, as_json: bool) -> None:
    """Make the role NAME."""
    from . import roles
    from .grant_routes import CreateRole
    from .permissions import SYSTEM

    wanted = body(CreateRole, {"name": name, "title": title, "actions": actions})
    with opened(data):
        made = roles.create(SYSTEM, wanted.name, wanted.title, wanted.actions)
    print_done(as_json, made, f"Made the role {made.name}.")


@role.command()
@click.argument("role", shell_complete=complete_role)
@click.option("--title", help="What people read.")
@actions_option
@data_option
@json_option
def change(role: str, title: str | None, actions: tuple[str, ...], data: Path | None, as_json: bool) -> None:
    """Change what is given of ROLE; the actions are then all that it allows, and count at once."""
    from . import roles
    from .grant_routes import PatchRole
    from .lookup import find_role
    from .permissions import SYSTEM

    wanted = body(PatchRole, given({"title": title, "actions": actions or None}))
    with opened(data):
        found = find_role(role)
        require_redis()
        changed = roles.change(
            SYSTEM,
            found,
            wanted.title if isinstance(wanted.title, str) else None,
            wanted.actions if isinstance(wanted.actions, list) else None,
        )
    print_done(as_json, changed, f"Changed the role {changed.name}.")


@role.command()
@click.argument("role", shell_complete=complete_role)
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_option
def delete(role: str, yes: bool, data: Path | None) -> None:
    """Delete ROLE, which no user has."""
    from . import roles
    from .lookup import find_role
    from .permissions import SYSTEM

    with opened(data):
        found = find_role(role)
        confirm(f"Delete the role {found}?", yes)
        roles.delete(SYSTEM, found)
    click.echo(f"Deleted the role {found}.")


def _kind(role: RoleView) -> str:
    return "built-in" if role.builtin else "own"
