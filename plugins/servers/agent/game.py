"""What is run for a server's game, from its spec; its config files are patched on the way."""

from __future__ import annotations

import asyncio
import logging
import shlex

from stellar.plugins.blueprints.render import egg_line, startup_line
from stellar.plugins.blueprints.stops import parse_stop

from ..spec import Stop
from .disk_limit import full
from .patches import apply_patches
from .runtime import Launch
from .server import Server

log = logging.getLogger(__name__)


async def game_launch(server: Server) -> Launch:
    """The launch; what is wrong with a config file is said on the console.

    ``Conflict`` for a server that is over its disk limit: also one that starts by itself would go on writing.
    """
    spec = server.spec
    if server.record.disk_over_since is not None:
        raise full(server)
    values = await server.environment()
    problems = await asyncio.to_thread(apply_patches, server.layout.data, spec.patches, values)
    for problem in problems:
        log.warning("server %s: %s", spec.id, problem)
    line = startup_line(spec.startup, spec.startup_shell, values)
    notes = [f"echo {shlex.quote(f'[stellar] {problem}')}" for problem in problems]
    return Launch(
        server_id=spec.id,
        kind="game",
        command="\n".join([*notes, line]),
        env=values,
        root=server.layout.root,
        limits=spec.limits,
        stop_signal=stop_signal(spec.stop) or "SIGTERM",
        notes="\n".join(notes),
        startup=egg_line(spec.startup) if spec.startup_shell == "bash" else line,
        image=spec.image,
        ports=spec.ports,
        mounts=spec.mounts,
    )


def stop_signal(stop: Stop) -> str | None:
    """The signal that stops the game, None when it takes a console command."""
    if stop.signal:
        return stop.signal
    return parse_stop(stop.command).signal if stop.command else "SIGTERM"
