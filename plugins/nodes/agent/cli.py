"""``stellar agent``."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import click

from stellar.commands.options import data_option, json_option
from stellar.errors import SetupError


@click.command()
@click.option("--panel", help="The panel's address, when joining.")
@click.option("--token", help="The join token, when joining.", envvar="STELLAR_JOIN_TOKEN")
@click.option("--check", is_flag=True, help="Only say what works on this machine; exit code 1 if it can't be a node.")
@data_option
@json_option
def agent(panel: str | None, token: str | None, check: bool, data: Path | None, as_json: bool) -> None:
    """Run the node agent on this machine.

    The first time, paste the whole join command that the panel shows.
    """
    if check:
        _check(panel, data, as_json)
        return
    if as_json:
        raise click.UsageError("--json belongs to --check.")
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


def _check(panel: str | None, data: Path | None, as_json: bool) -> None:
    from stellar.commands.tables import print_json, print_table
    from stellar.config import load_config
    from stellar.panel import boot

    from .check import find_checks, passed

    config = load_config(data)
    checks = asyncio.run(find_checks(config, boot("agent", config=config).registry.agent, panel))
    if as_json:
        print_json({"ok": passed(checks), "checks": checks})
    else:
        rows = [(one.area, one.name, _state(one.ok, one.required), one.detail) for one in checks]
        print_table(("AREA", "WHAT", "STATE", ""), rows)
    if not passed(checks):
        raise SystemExit(1)


def _state(ok: bool, required: bool) -> str:
    return "ok" if ok else "wrong" if required else "inactive"
