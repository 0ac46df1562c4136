"""``stellar run``, ``stellar web`` and ``stellar worker``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from .options import data_option

if TYPE_CHECKING:
    from ..config import Config


@click.command()
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on.  [default: 8080]")
@data_option
def run(host: str | None, port: int | None, data: Path | None) -> None:
    """Start everything: the panel, its worker and the local node."""
    from ..supervisor.run import run as supervise

    raise SystemExit(supervise(_config(data, host, port)))


@click.command()
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on.  [default: 8080]")
@data_option
def web(host: str | None, port: int | None, data: Path | None) -> None:
    """Start the web process alone."""
    from ..http.serve import serve

    serve(_config(data, host, port))


@click.command()
@data_option
def worker(data: Path | None) -> None:
    """Start the job worker alone."""
    from ..jobs.worker import run_worker
    from ..panel import boot

    panel = boot("worker", config=_config(data, None, None))
    panel.open()
    run_worker(panel)


@click.command(hidden=True)
@data_option
def prepare(data: Path | None) -> None:
    """Make the installation ready for ``stellar run``; prints what it needs to know as JSON."""
    from ..auth.setup import setup_url
    from ..bus import connections
    from ..panel import boot

    panel = boot("migrate", config=_config(data, None, None))
    panel.open()
    connections.check_reachable(panel.config.redis_url)
    panel.migrate()
    panel.start()
    for _ in panel.plugins.each("prepare_run", app=panel):
        pass
    url = setup_url(panel.config)
    panel.stop()
    click.echo(msgspec.json.encode({"setup_url": url}))


def _config(data: Path | None, host: str | None, port: int | None) -> Config:
    from ..config import load_config, prepare_data

    config = load_config(data)
    changes = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    config.replace(msgspec.structs.replace(config.web, **changes))
    prepare_data(config)
    return config
