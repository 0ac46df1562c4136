"""``stellar registry``: the node's own accounts at registries of container images."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from stellar.commands.options import data_option
from stellar.commands.tables import print_table


@click.group()
def registry() -> None:
    """Sign this node in to registries of container images.

    To be run on the node. What is kept stays there, for the agent alone; the panel never gets it.
    """


@registry.command()
@click.argument("host", default="docker.io")
@click.option("--username", "-u", prompt=True, help="The account there.")
@click.option("--password-stdin", is_flag=True, help="Read the password or token from standard input.")
@data_option
def login(host: str, username: str, password_stdin: bool, data: Path | None) -> None:
    """Pull images of HOST (such as ghcr.io) as USERNAME from now on."""
    from .agent.docker import registries

    password = sys.stdin.read() if password_stdin else click.prompt("Password or token", hide_input=True)
    registries.login(_file(data), host, username, password.strip("\r\n"))
    click.echo(f"Images of {registries.normal(host)} are pulled as {username} from now on.")


@registry.command()
@click.argument("host", default="docker.io")
@data_option
def logout(host: str, data: Path | None) -> None:
    """Forget the account at HOST."""
    from .agent.docker import registries

    known = registries.logout(_file(data), host)
    name = registries.normal(host)
    click.echo(f"Forgot the account at {name}." if known else f"There was no account at {name}.")


@registry.command(name="list")
@data_option
def list_(data: Path | None) -> None:
    """List the registries that this node has an account at."""
    from .agent.docker import registries

    rows = sorted(registries.users(_file(data)).items())
    print_table(("REGISTRY", "USER"), rows, "This node has no accounts at registries.")


def _file(data: Path | None) -> Path:
    from stellar.config import load_config, prepare_data

    from .agent.docker import registries

    config = load_config(data)
    prepare_data(config)
    return registries.registries_file(config.data / "agent")
