"""A server that tries to get out, and all that it must not reach; also runs as a script, for another user.

``python escape_parts.py DIRECTORY sandboxed|bare|open`` prints what ``attempt`` answers; ``open``: unprotected.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from runs import Bench

from stellar.errors import Conflict
from stellar.plugins.servers.agent import confinement
from stellar.plugins.servers.agent.process import ProcessRuntime
from stellar.testing.waiting import wait_for

SECRET = "the agent's own secret"
ATTEMPTS = Path(__file__).with_name("escapes.py")


async def attempt(place: Path, *, sandboxed: bool) -> tuple[dict[str, bool], str, bool]:
    """Which protections are active, what a server printed that tried everything, and whether its neighbour lives."""
    runtime = ProcessRuntime(place / "servers", sandboxed=sandboxed)
    (place / "servers").mkdir(mode=0o711)
    secrets = _secrets(place)
    victim, attacker = Bench(place / "servers/victim", runtime), Bench(place / "servers/attacker", runtime)
    with contextlib.closing(_listener(f"\0stellar-{place.name}-{os.getpid()}")) as abstract:
        try:
            run = await victim.start("echo ready; exec cat", SECRET_OF_THE_VICTIM=SECRET)
            await victim.prints("ready")
            (victim.root / "data/world").write_text(SECRET)
            (victim.root / "data/world").chmod(0o600)
            pids = [os.getpid(), run.keeper, *_below(run.keeper)]
            targets = {
                "files": [str(path) for path in (*secrets, victim.root / "data/world", victim.root / "run/launch")],
                "pids": pids,
                "abstract": abstract.getsockname()[1:].decode(),
                "keeper": str(victim.root / "run/socket"),
                "terminal": str(Path(f"/proc/{pids[-1]}/fd/0").readlink()),
                "root": str(place),
            }
            data = attacker.root / "data"
            data.mkdir(parents=True)
            (data / "escapes.py").write_text(ATTEMPTS.read_text())
            (data / "targets.json").write_text(json.dumps(targets))
            await attacker.start("exec /usr/bin/python3 escapes.py targets.json")
            await wait_for(lambda: attacker.exits, 60, f"the end of {attacker.output()}")
            with contextlib.suppress(Conflict):
                await run.send(b"still here\n")
                await victim.prints("still here")
            text = attacker.output().replace("\r\n", "\n")
            return (await runtime.protection()).active, text, not victim.exits
        finally:
            for bench in (victim, attacker):
                if bench.run is not None and not bench.exits:
                    await bench.run.kill()


def _secrets(place: Path) -> list[Path]:
    """As the panel and the agent keep them."""
    found = []
    for name in ("stellar.db", "config.toml", "agent/identity.json", "agent/outbox.db"):
        path = place / name
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        path.write_text(SECRET)
        path.chmod(0o600)
        found.append(path)
    return found


def _listener(address: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(address)
    made.listen()
    return made


def _below(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [one for child in children for one in (child, *_below(child))]


def main() -> None:
    """For another user: print as JSON what ``attempt`` answers."""
    if sys.argv[2] == "open":
        confinement.find = lambda *_: confinement.NOTHING
    answer: Any = asyncio.run(attempt(Path(sys.argv[1]), sandboxed=sys.argv[2] == "sandboxed"))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
