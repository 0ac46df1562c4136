"""A built-in blueprint on a node: installed through its mirrors in a real sandbox, started, stopped."""

from __future__ import annotations

from pathlib import Path

from game_sources import Sources, sha256, tarred
from server_parts import Recorder, make_spec

from stellar.plugins.blueprints.format import load
from stellar.plugins.nodes.settings import AgentSettings
from stellar.plugins.servers.agent.comeback import Policy
from stellar.plugins.servers.agent.manager import ServerManager
from stellar.plugins.servers.agent.process import ProcessRuntime
from stellar.plugins.servers.spec import Port, Requirement, Stop
from stellar.testing.waiting import wait_for

BUILTIN = Path(__file__).parents[3] / "plugins" / "blueprints" / "builtin"
TOP = "teamspeak3-server_linux_amd64"
PROGRAM = """#!/bin/sh
trap 'echo saved; exit 0' INT
echo "as $(id -u) in $(pwd) with $*"
echo 'listening on 0.0.0.0:9987'
while :; do sleep 0.1; done
"""


async def test_installed_and_started(tmp_path: Path, sources: Sources) -> None:
    archive = tarred({f"{TOP}/ts3server": PROGRAM}, "bz2")
    url = f"https://files.teamspeak-services.com/releases/server/3.13.7/{TOP}-3.13.7.tar.bz2"
    sources.put(url, archive)
    newest = {"version": "3.13.7", "checksum": sha256(archive), "mirrors": {"teamspeak.com": url}}
    sources.put("https://www.teamspeak.com/versions/server.json", {"linux": {"x86_64": newest}})
    blueprint = load(BUILTIN / "teamspeak").blueprint
    assert blueprint.runtimes.process is not None
    spec = make_spec(
        startup=blueprint.startup.command,
        done=blueprint.startup.done,
        stop=Stop(None, blueprint.stop.signal, 20),
        install_script=blueprint.install.script,
        variables={variable.env: variable.default for variable in blueprint.variables} | {"LICENSE": "1"},
        ports=[Port("127.0.0.1", 31000 + at, port.protocol, port.name) for at, port in enumerate(blueprint.ports)],
        requires=[Requirement(need.command, need.package) for need in blueprint.runtimes.process.requires],
    )
    context = Recorder(tmp_path / "agent")
    context.config.replace(AgentSettings(mirrors=sources.mirrors.split()))
    manager = ServerManager(context, {"process": ProcessRuntime()}, Policy(settle=0.1))
    await manager.load()
    await manager.apply(spec)
    managed = manager.get(spec.id)
    try:
        await wait_for(lambda: managed.server.state != "installing", 60)
        printed = managed.server.console.read(0, 65536)[1].decode()
        assert managed.server.state == "offline", printed
        assert "Downloaded TeamSpeak 3.13.7" in printed
        await managed.power("start")
        await wait_for(lambda: managed.server.state == "running", 20)
        await managed.power("stop")
        await wait_for(lambda: managed.server.state == "offline", 20)
        assert "saved" in managed.server.console.read(0, 65536)[1].decode()
    finally:
        await manager.remove(spec.id)
