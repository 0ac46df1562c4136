"""``stellar agent``."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import click

from stellar.commands.options import data_option
from stellar.errors import SetupError


@click.command()
@click.option("--panel", help="The panel's address, when joining.")
@click.option("--token", help="The join token, when joining.", envvar="STELLAR_JOIN_TOKEN")
@data_option
def agent(panel: str | None, token: str | None, data: Path | None) -> None:
    """Run the node agent on this machine.

    The first time, paste the whole join command that the panel shows.
    """
    from stellar.config import load_config, prepare_data
    from stellar.panel import boot

    from .enrol import enrol
    from .identity import read_identity, write_identity
    from .run import run_agent

    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(message)s")
    config = load_config(data)
    prepare_data(config)
    directory = config.data / "agent"
    if panel and token:
        write_identity(directory, enrol(panel, token))
    elif panel or token:
        raise SetupError("Joining needs both --panel and --token; paste the panel's whole join command.")
    identity = read_identity(directory)
    if identity is None:
        raise SetupError("This machine has not joined a panel yet; paste the join command from the panel's nodes page.")
    asyncio.run(run_agent(boot("agent", config=config), identity))
