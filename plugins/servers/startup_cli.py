"""``stellar server startup`` and ``stellar server blueprint``."""

from __future__ import annotations

from pathlib import Path

import click

from stellar.commands.opened import opened, require_redis
from stellar.commands.options import data_option, json_option
from stellar.commands.tables import print_json, print_pairs, print_table
from stellar.plugins.blueprints.completion import complete_blueprint

from .arguments import choose_place, pairs
from .completion import complete_server


@click.command()
@click.argument("server", shell_complete=complete_server)
@click.option("--variable", "-v", "variables", multiple=True, metavar="NAME=VALUE", help="Set a start-up variable.")
@click.option("--command", metavar="NAME", help="Another of its blueprint's commands; empty: the first.")
@data_option
@json_option
def startup(server: str, variables: tuple[str, ...], command: str | None, data: Path | None, as_json: bool) -> None:
    """Show how SERVER is started, after having changed what is given; that counts from the next start on."""
    from stellar.auth.permissions import SYSTEM

    from . import changes, views
    from .lookup import find_server

    given = pairs(variables)
    with opened(data):
        ref = find_server(server)
        if given or command is not None:
            require_redis()
            changes.change_startup(SYSTEM, ref, given, command=command)
        found = views.startup(SYSTEM, ref, "startup.read")
    if as_json:
        print_json(found)
        return
    others = [choice.name or "the first" for choice in found.commands if choice.name != found.chosen]
    print_pairs(
        [
            ("command", found.command),
            *([("others", ", ".join(others))] if others else []),
            ("runtime", found.runtime),
            *([("image", found.image)] if found.image else []),
        ]
    )
    click.echo()
    lines = [(variable.env, variable.value, variable.rules) for variable in found.variables]
    print_table(("VARIABLE", "VALUE", "RULES"), lines, "Its blueprint has no variables.")


@click.command()
@click.argument("server", shell_complete=complete_server)
@click.argument("blueprint", shell_complete=complete_blueprint)
@click.option("--variable", "-v", "variables", multiple=True, metavar="NAME=VALUE", help="A start-up variable.")
@data_option
def blueprint(server: str, blueprint: str, variables: tuple[str, ...], data: Path | None) -> None:
    """Make SERVER, which has to be off, one of BLUEPRINT: its files stay, and the new game is installed beside them."""
    from stellar.auth.permissions import SYSTEM
    from stellar.plugins.blueprints import service as blueprints
    from stellar.plugins.nodes import service as nodes

    from . import changes, service
    from .lookup import find_server

    given = pairs(variables)
    with opened(data) as panel:
        require_redis()
        found = service.get_server(SYSTEM, find_server(server), "startup.image")
        wanted = blueprints.get_blueprint(blueprint)
        _, runtime = choose_place(panel, [nodes.get_node(found.node_id)], wanted, {})
        changes.change_blueprint(SYSTEM, found.id, wanted, runtime, given)
    click.echo(f"{found.name} is being installed as {wanted.title}.")
