"""A player's own client joins the Minecraft server that the panel has installed and started."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from product import GameServer, Product

from stellar.testing.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MINEFLAYER = "mineflayer@4.25.0"
"""The last one that runs on the Node.js of Debian 12."""
VERSION = "1.16.5"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory in which mineflayer is installed."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node.js is missing: apt-get install -y nodejs npm")
    directory = tmp_path_factory.mktemp("mineflayer")
    options = ["--no-audit", "--no-fund", "--omit=dev", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(["npm", "install", *options, "--prefix", directory, MINEFLAYER], check=True, cwd=directory)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


class Bot:
    """A player."""

    def __init__(self, client: Path, port: int, log: Path, name: str, message: str) -> None:
        self._log = log
        script = Path(__file__).with_name("bot.js")
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["node", script, "127.0.0.1", str(port), VERSION, name, message],
                env={**os.environ, "NODE_PATH": str(client / "node_modules")},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
            )

    def sees(self, text: str, timeout: float = 20.0) -> None:
        """Wait until it has seen a text."""
        wait_until(lambda: text in self._seen(), timeout, f"{text!r} in what the bot sees ({self._seen()[-2000:]})")

    def leave(self) -> None:
        """Quit the game."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        finally:
            self._process.kill()

    def _seen(self) -> str:
        return self._log.read_text("utf-8", "replace")


@pytest.fixture
def join(client: Path, tmp_path: Path) -> Iterator[Callable[..., Bot]]:
    """Makes players; they leave at the end."""
    bots: list[Bot] = []

    def make(port: int, name: str, message: str) -> Bot:
        bots.append(Bot(client, port, tmp_path / f"{name}.log", name, message))
        return bots[-1]

    yield make
    for bot in bots:
        bot.leave()


def test_a_bot_joins_and_chats(product: Product, join: Callable[..., Bot]) -> None:
    server = GameServer(product.admin(), "minecraft-js")
    assert server.get()["state"] == "installing"
    server.wait("offline", 90)
    assert "flying-squid is installed." in server.output()
    viewer = server.socket()
    assert server.power("start").status_code == 202
    server.wait("running", 40)

    bot = join(server.port, "ada_bot", "hello from the bot")
    bot.sees("joined")
    viewer.until(lambda: "hello from the bot" in viewer.text)
    wait_until(lambda: "ada_bot" in plain(server) and "hello from the bot" in plain(server), 10, "the chat in the log")

    wait_until(lambda: players(server) == (1, 10), 40, "the game's having been asked who plays")

    server.command("say hi")
    viewer.until(lambda: "[CHAT]: [Server] hi" in viewer.text)
    assert "[CHAT]: [Server] hi" in plain(server)
    bot.sees("[Server] hi")
    assert viewer.gaps == []

    server.command("stop")
    viewer.until(lambda: "Server is closed." in viewer.text)
    server.wait("offline", 30)
    assert "Server is closed." in plain(server)
    bot.sees("end ")

    ended = viewer.next
    server.power("start")
    server.wait("running", 40)
    assert server.power("stop").status_code == 202
    server.wait("offline", 30)
    assert "Server is closed." in server.output(after=ended)
    viewer.close()


def players(server: GameServer) -> tuple[int | None, int | None]:
    """How many play and may, as the game has answered."""
    stats = server.client.get(f"{server.path}/stats").json()
    return stats["players"], stats["players_max"]


def plain(server: GameServer) -> str:
    """The end of the console without control codes."""
    answer = server.client.get(f"{server.path}/console", params={"plain": 1})
    assert answer.status_code == 200, answer.text
    text = answer.json()["data"]
    assert "\x1b" not in text
    return str(text)
