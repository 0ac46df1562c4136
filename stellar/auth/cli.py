"""``stellar user``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..commands.groups import Group
from ..commands.opened import opened, require_redis
from ..commands.options import confirm, data_option, json_option
from ..commands.tables import print_done, print_json, print_table
from .completion import complete_role, complete_user

password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input (its first line)."
)


@click.group(cls=Group)
def user() -> None:
    """Create, list and change users.

    USER is an e-mail address or an id.
    """


@user.command()
@click.option("--email", required=True, help="The e-mail address to sign in with.")
@click.option("--name", default="", help="The name to show.  [default: the first part of the address]")
@click.option("--admin", is_flag=True, help="Make the account an administrator's.")
@click.option("--role", shell_complete=complete_role, help="The account's role.  [default: user]")
@password_option
@data_option
@json_option
def create(
    email: str, name: str, admin: bool, role: str | None, *, password_stdin: bool, data: Path | None, as_json: bool
) -> None:
    """Create a user; asks for the password, unless it comes on standard input."""
    from .. import audit
    from ..errors import Invalid
    from . import roles, users
    from .lookup import find_role
    from .permissions import SYSTEM
    from .schemas import view_of

    if admin and role not in (None, "admin"):
        raise Invalid("Use either --admin or --role.")
    wanted = "admin" if admin else role or "user"
    with opened(data, migrate=True):
        find_role(wanted)
        roles.require_assignable(SYSTEM, wanted)
        made = users.create(email, _password(password_stdin), name, wanted)
        details = {"email": made.email, "role": wanted}
        audit.record(SYSTEM, "user.create", target_type="user", target_id=made.id, details=details)
        view = view_of(made)
    if as_json:
        print_json(view)
        return
    kinds = {"admin": "administrator", "user": "user"}
    click.echo(f"Created the {kinds.get(wanted, f'{wanted} account')} {made.email}.")


@user.command("list")
@click.option("--search", default="", help="Only those with this in the address or name.")
@click.option("--role", shell_complete=complete_role, help="Only those with this role.")
@click.option("--suspended", is_flag=True, help="Only those that are suspended.")
@data_option
@json_option
def list_users(search: str, role: str | None, suspended: bool, data: Path | None, as_json: bool) -> None:
    """List the users."""
    from . import users
    from .schemas import view_of

    wanted = search.casefold()
    with opened(data):
        found = [view_of(one) for one in users.every()]
    rows = [
        one
        for one in found
        if (wanted in one.email or wanted in one.name.casefold())
        and (role is None or one.role == role)
        and (one.suspended or not suspended)
    ]
    if as_json:
        print_json(rows)
        return
    lines = [(one.email, one.name, one.role, "suspended" if one.suspended else "active", one.id) for one in rows]
    print_table(("E-MAIL", "NAME", "ROLE", "STATE", "ID"), lines, "There are no such users.")


@user.command("reset-password")
@click.argument("user", shell_complete=complete_user)
@password_option
@data_option
@json_option
def reset_password(user: str, password_stdin: bool, data: Path | None, as_json: bool) -> None:
    """Print a one-time link with which USER sets a new password, or set one from standard input.

    Setting one ends all sessions of the account.
    """
    from .. import audit
    from . import passwords, resets, users
    from .lookup import find_user
    from .permissions import SYSTEM

    with opened(data) as panel:
        found = find_user(user)
        if password_stdin:
            require_redis()
            password = _password(from_stdin=True)
            passwords.check_new(password, found.email)
            users.set_password(found.id, passwords.hash_password(password))
            audit.record(SYSTEM, "user.password", target_type="user", target_id=found.id)
            click.echo(f"{found.email} has the new password; all of its sessions have ended.")
            return
        panel.config.recall_address()
        url, expires_at = resets.link_by(SYSTEM, panel.config, found.id)
    if as_json:
        print_json({"email": found.email, "url": url, "expires_at": expires_at})
        return
    click.echo(url)
    click.echo(f"Give this link to {found.email}: it works once, until {expires_at:%Y-%m-%d %H:%M} UTC.", err=True)


@user.command()
@click.argument("user", shell_complete=complete_user)
@click.argument("role", shell_complete=complete_role)
@data_option
def role(user: str, role: str, data: Path | None) -> None:
    """Give USER the role ROLE: admin, support, user or one of your own."""
    from .. import audit
    from ..db import write_tx
    from . import roles, users
    from .lookup import find_role, find_user
    from .permissions import SYSTEM

    with opened(data):
        found = find_user(user)
        require_redis()
        find_role(role)
        with write_tx():
            roles.require_assignable(SYSTEM, role)
            users.set_role(found.id, role)
            audit.record(SYSTEM, "user.role", target_type="user", target_id=found.id, details={"role": role})
    click.echo(f"{found.email} has the role {role}.")


@user.command()
@click.argument("user", shell_complete=complete_user)
@data_option
def suspend(user: str, data: Path | None) -> None:
    """Suspend USER: the account can't sign in, and its sessions end at once."""
    from .. import audit
    from . import users
    from .lookup import find_user
    from .permissions import SYSTEM

    with opened(data):
        found = find_user(user)
        require_redis()
        users.suspend(found.id)
        audit.record(SYSTEM, "user.suspend", target_type="user", target_id=found.id)
    click.echo(f"{found.email} is suspended.")


@user.command()
@click.argument("user", shell_complete=complete_user)
@data_option
def unsuspend(user: str, data: Path | None) -> None:
    """Let USER in again."""
    from .. import audit
    from . import users
    from .lookup import find_user
    from .permissions import SYSTEM

    with opened(data):
        found = find_user(user)
        users.unsuspend(found.id)
        audit.record(SYSTEM, "user.unsuspend", target_type="user", target_id=found.id)
    click.echo(f"{found.email} may sign in again.")


@user.command("confirm-email")
@click.argument("user", shell_complete=complete_user)
@data_option
@json_option
def confirm_email(user: str, data: Path | None, as_json: bool) -> None:
    """Confirm the e-mail address that USER waits for, in their place."""
    from . import emails
    from .lookup import find_user
    from .permissions import SYSTEM
    from .schemas import view_of

    with opened(data) as panel:
        found = find_user(user)
        require_redis()
        view = view_of(emails.confirm_by(SYSTEM, panel.config, found.id))
    print_done(as_json, view, f"{view.email} is confirmed.")


@user.command("remove-second-factor")
@click.argument("user", shell_complete=complete_user)
@click.option("--yes", is_flag=True, help="Don't ask.")
@data_option
def remove_second_factor(user: str, yes: bool, data: Path | None) -> None:
    """Turn two-factor sign-in off for USER, who has lost their authenticator app and recovery codes."""
    from . import totp
    from .lookup import find_user
    from .permissions import SYSTEM

    with opened(data):
        found = find_user(user)
        confirm(f"Let {found.email} sign in with the password alone?", yes)
        totp.remove_for(SYSTEM, found.id)
    click.echo(f"The password is enough for {found.email} now.")


def _password(from_stdin: bool) -> str:
    from ..errors import Invalid

    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Invalid("There is no terminal to ask for the password; use --password-stdin.")
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return answer
