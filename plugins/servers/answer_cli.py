"""``stellar server answer``."""

from __future__ import annotations

from pathlib import Path

import click

from stellar.commands.opened import opened
from stellar.commands.options import data_option

from .completion import complete_server


@click.command()
@click.argument("server", shell_complete=complete_server)
@click.argument("prompt")
@click.argument("answer", required=False)
@data_option
def answer(server: str, prompt: str, answer: str | None, data: Path | None) -> None:
    """Answer what SERVER's game asks, as `server show` names it: accept the PROMPT, or give the ANSWER it takes."""
    from .lookup import find_server

    with opened(data):
        ref = find_server(server)
        name, state = _accept(ref, prompt) if answer is None else _answer(ref, prompt, answer)
    click.echo(f"{name} is {state}.")


def _accept(ref: str, prompt: str) -> tuple[str, str]:
    from stellar.auth.permissions import SYSTEM
    from stellar.bus import sync

    from . import prompts
    from .calls import Answer, PowerResult

    server, known = prompts.before_accept(SYSTEM, ref, prompt)
    result = sync.call(server.node_id, "servers.answer", Answer(server.id, prompt), returns=PowerResult)
    prompts.after_accept(SYSTEM, server, known)
    return server.name, result.state


def _answer(ref: str, prompt: str, answer: str) -> tuple[str, str]:
    from stellar.auth.permissions import SYSTEM

    from . import answers, power

    server = answers.before_restart(SYSTEM, ref, prompt, answer)
    state = power.begin_sync(server, "restart")
    answers.after_restart(SYSTEM, server, prompt)
    return server.name, state
