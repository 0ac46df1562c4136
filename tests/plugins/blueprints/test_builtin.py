"""The built-in blueprints, each really installed, started, spoken to and stopped."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stellar.plugins.blueprints.format import load
from stellar.plugins.servers.agent.patches import PARSERS

BUILTIN = Path(__file__).parents[3] / "plugins" / "blueprints" / "builtin"
GAMES = ["counter-strike-2", "factorio", "garrys-mod", "luanti", "palworld", "project-zomboid", "satisfactory"]
GAMES += ["team-fortress-2", "teeworlds", "terraria-tshock", "valheim"]
KINDS = ["bedrock", "fabric", "forge", "js", "neoforge", "paper", "vanilla"]
PROGRAMS = ["generic", "generic-java", "generic-node", "generic-python", "mumble", "teamspeak"]
NAMES = sorted([*GAMES, *PROGRAMS, *(f"minecraft-{kind}" for kind in KINDS)])

MakeGame = Callable[..., Any]

BOT = """
const { createBot } = require('mineflayer')
const bot = createBot({ host: '127.0.0.1', port: +process.argv[2], username: 'Bot', version: '1.16.5' })
bot.once('spawn', () => bot.chat('hello from the bot'))
bot.on('message', (message) => { console.log(message.toString()); if (/hi bot/.test(message)) process.exit(0) })
bot.on('kicked', (reason) => { console.log(reason); process.exit(1) })
bot.on('error', (error) => { console.log(error); process.exit(1) })
"""


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """What a test starts besides the game; ended with it."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def test_these_are_built_in() -> None:
    assert sorted(path.name for path in BUILTIN.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_parses(name: str) -> None:
    loaded = load(BUILTIN / name)
    assert loaded.blueprint.name == name
    assert loaded.blueprint.runtimes.process is not None
    assert loaded.icon.data.startswith(b"<svg")
    assert {patch.parser for patch in loaded.blueprint.config} <= PARSERS


def test_luanti(game: MakeGame) -> None:
    server = game("luanti", SERVER_NAME='Büchse; $(touch bad) # "x"', MOTD="line 'one'")
    server.install()
    server.start()
    server.wait_done()
    server.type("/status")
    server.wait_output(b"# Server: version")
    server.type("/set motd")
    server.wait_output(b"motd = line 'one'")
    assert server.stop() == 0
    assert (server.home / "world" / "map_meta.txt").is_file()
    assert not (server.home / "bad").exists()


def test_luanti_administrator_may_shut_down_from_the_console(game: MakeGame) -> None:
    server = game("luanti", ADMIN_NAME="boss", ADMIN_PASSWORD="a 'secret'")
    server.install()
    server.start()
    server.wait_done()
    server.type("/shutdown")
    assert server.wait_exit(20) == 0
    assert b"permission" not in server.output


def test_luanti_keeps_its_world_when_installed_again(game: MakeGame) -> None:
    server = game("luanti")
    server.install()
    (server.home / "world" / "mine.txt").write_text("x")
    (server.home / "minetest.conf").write_text("# my own\nname = other\n")
    server.install()
    assert (server.home / "world" / "mine.txt").read_text() == "x"
    assert (server.home / "minetest.conf").read_text().startswith("# my own\n")


def test_teeworlds(game: MakeGame) -> None:
    server = game("teeworlds", SERVER_NAME="Tee $(touch bad) 'x' `id`", MAX_CLIENTS="5", RCON_PASSWORD="rcon pw")
    server.install()
    server.start()
    server.wait_done()
    assert b"server name is 'Tee $(touch bad) 'x' `id`'" in server.output
    assert b"rcon password" not in server.output
    with socket.socket(type=socket.SOCK_DGRAM) as other, pytest.raises(OSError, match="in use"):
        other.bind(("0.0.0.0", server.port))
    # The game leaves SIGINT to the system.
    assert server.stop() in {0, 128 + signal.SIGINT, -signal.SIGINT}
    assert not (server.home / "bad").exists()


def test_generic(game: MakeGame) -> None:
    server = game(
        "generic",
        START_COMMAND='cat installed; echo "port $SERVER_PORT"; exec cat',
        INSTALL_COMMAND="echo ready > installed",
    )
    server.install()
    server.start()
    server.wait_output(b"ready\r\nport %d\r\n" % server.port)
    server.type("hello")
    server.wait_output(b"hello\r\nhello\r\n")
    assert server.stop() != 0


def test_generic_default_works(game: MakeGame) -> None:
    server = game("generic")
    server.install()
    server.start()
    server.wait_output(b"Set the start command")


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_minecraft_js(game: MakeGame, tmp_path: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    server = game("minecraft-js", memory_mb=1024, MOTD='Hi "there" $(id)')
    server.install()
    server.start()
    server.wait_done()
    settings = json.loads((server.home / "settings.json").read_text())
    assert settings["motd"] == 'Hi "there" $(id)'
    assert settings["port"] == server.port
    server.type("say hi")
    server.wait_output(b"[CHAT]: [Server] hi")
    subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "mineflayer@^4"], cwd=tmp_path, check=True, capture_output=True
    )
    (tmp_path / "bot.js").write_text(BOT)
    bot = subprocess.Popen(["node", "bot.js", str(server.port)], cwd=tmp_path, stdout=subprocess.PIPE)
    processes.append(bot)
    server.wait_output(b"hello from the bot", 60)
    server.type("say hi bot")
    output, _ = bot.communicate(timeout=20)
    assert bot.returncode == 0, output
    server.type("stop")
    server.wait_output(b"Server is closed.")
    assert server.wait_exit(20) == 0
