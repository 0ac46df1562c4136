"""The runtime ``docker`` before there is a Docker."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stellar.errors import Unavailable
from stellar.plugins.servers.agent import containers
from stellar.plugins.servers.agent.containers import Containers, docker_host
from stellar.plugins.servers.settings import DockerSettings

EXAMINE = """
import asyncio, sys
from pathlib import Path
from stellar.config import load_config
from stellar.panel import boot
from stellar.plugins.servers.agent import runtimes
from stellar.plugins.servers.agent.probe import examine

data = Path(sys.argv[1])
app = boot("agent", config=load_config(data))
found = runtimes.built_in(app.config, data, data)
available, _ = asyncio.run(examine({"docker": found["docker"]}))
asyncio.run(found["docker"].close())
print(available["docker"]["available"], "aiohttp" in sys.modules)
"""


@pytest.mark.parametrize(("host", "loaded"), [("off", "False False"), ("unix:///nobody/listens.sock", "False True")])
def test_without_docker_its_library_takes_no_memory(host: str, loaded: str, tmp_path: Path) -> None:
    environment = {"STELLAR_DOCKER_HOST": host}
    command = [sys.executable, "-P", "-c", EXAMINE, str(tmp_path)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == loaded


async def test_a_docker_that_comes_up_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "docker.sock"
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(containers, "SOCKETS", (str(path),))
    monkeypatch.setattr(containers.os, "geteuid", lambda: 4_000_000)
    runtime = Containers(tmp_path, DockerSettings())
    with pytest.raises(Unavailable, match="neither Docker nor Podman"):
        await runtime.protection()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        with pytest.raises(Unavailable, match=f"doesn't answer at unix://{path}"):
            await runtime.protection()
    await runtime.close()


async def test_a_server_that_never_ran_has_nothing_to_take_up_also_without_docker(tmp_path: Path) -> None:
    runtime = Containers(tmp_path, DockerSettings(host="off"))
    (tmp_path / "run").mkdir()
    assert await runtime.attach(tmp_path, lambda end: None, lambda exit: None) is None


def test_where_docker_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///from/env.sock")
    assert docker_host(DockerSettings()) == "unix:///from/env.sock"
    assert docker_host(DockerSettings(host="tcp://127.0.0.1:1")) == "tcp://127.0.0.1:1"
    with pytest.raises(Unavailable, match="switched off"):
        docker_host(DockerSettings(host="off"))
