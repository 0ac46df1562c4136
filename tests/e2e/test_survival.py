"""Whatever of ours is killed, game servers go on and nothing of their output is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from product import COUNTER, GameServer, Product

from stellar.testing.waiting import wait_until

pytestmark = pytest.mark.e2e


def counting(product: Product) -> GameServer:
    """A running server that counts, and answers what is typed."""
    server = GameServer(product.admin(), "generic", variables={"START_COMMAND": f"exec bash -c '{COUNTER}'"})
    server.wait("offline")
    assert server.power("start").status_code == 202
    server.wait("running")
    server.says("line 10")
    return server


def lines(text: str) -> list[int]:
    """The numbers that a text counts."""
    return [int(line.split()[1]) for line in text.splitlines() if line.startswith("line ") and line[5:].isdecimal()]


def assert_whole(server: GameServer) -> None:
    """The log holds every line once, in order."""
    numbers = lines(server.output())
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_agent_is_killed(product: Product) -> None:
    server = counting(product)
    before = server.get()
    viewer = server.socket()
    viewer.send("resume", after=0)
    viewer.until(lambda: "line 12" in viewer.text)
    os.kill(product.child("agent"), signal.SIGKILL)
    last = lines(server.output() if server.client.get(f"{server.path}/console").status_code == 200 else viewer.text)[-1]
    viewer.until(lambda: f"line {last + 100}\r\n" in viewer.text, 30)
    assert viewer.gaps == []
    numbers = lines(viewer.text)
    assert numbers == list(range(1, len(numbers) + 1))
    viewer.close()
    assert server.state() == "running"
    server.command("marker")
    server.says("heard marker")
    assert_whole(server)
    assert server.get()["id"] == before["id"]
    server.power("stop")
    server.wait("offline", 60)


def test_everything_is_killed_and_started_again(product: Product) -> None:
    server = counting(product)
    product.kill()
    wait_until(lambda: not _children_left(product), 20, "the end of what stellar run had started")
    assert_running(server)
    product.start()
    server = rejoin(product, server)
    server.says("line 300", 30)
    assert server.state() == "running"
    assert_whole(server)
    server.command("marker")
    server.says("heard marker")


def test_stopping_takes_at_most_five_seconds_and_leaves_the_game(product: Product) -> None:
    server = counting(product)
    assert product.stop() < 5
    assert not _children_left(product)
    assert_running(server)
    product.start()
    server = rejoin(product, server)
    server.command("again")
    server.says("heard again")
    assert_whole(server)


@pytest.mark.parametrize("part", ["web", "worker"])
def test_a_part_that_is_killed_comes_back(product: Product, part: str) -> None:
    server = counting(product)
    killed = product.child(part)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: _other_child(product, part, killed), 20, f"another {part} process")
    wait_until(product.answers, 20, "the panel's answer")
    wait_until(lambda: _works(server), 20, "the node's answer")
    server.command("still there")
    server.says("heard still there")
    assert_whole(server)
    second = GameServer(server.client, "generic", variables={"START_COMMAND": "cat"})
    second.wait("offline")


def test_the_embedded_valkey_is_killed(product: Product) -> None:
    server = counting(product)
    valkey = next(
        process
        for process in psutil.Process(product.process.pid).children()  # type: ignore[union-attr]
        if "valkey" in process.name()
    )
    valkey.kill()
    wait_until(lambda: _works(server), 30, "the panel working again")
    server.command("still there")
    server.says("heard still there")
    assert_whole(server)


def test_a_second_instance_is_refused(product: Product) -> None:
    second = product.run("run", "--port", "1")
    assert second.returncode != 0
    assert "Traceback" not in second.stderr and str(product.process.pid) in second.stderr  # type: ignore[union-attr]


def test_a_busy_port_is_one_sentence(product: Product, new_product: Callable[..., Product]) -> None:
    other = new_product("other")
    busy = other.run("run", "--port", str(product.port))
    assert busy.returncode != 0
    assert str(product.port) in busy.stderr and "--port" in busy.stderr and "Traceback" not in busy.stderr


def test_a_broken_key_is_one_sentence(new_product: Callable[..., Product]) -> None:
    broken = new_product("broken")
    broken.data.mkdir()
    (broken.data / "config.toml").write_text("[web]\nprot = 80\n")
    result = broken.run("run")
    assert result.returncode != 0
    assert "prot" in result.stderr and "Traceback" not in result.stderr


def test_an_unwritable_directory_is_one_sentence(new_product: Callable[..., Product], tmp_path: Path) -> None:
    product = new_product("file/data")
    (tmp_path / "file").write_text("")
    result = product.run("run")
    assert result.returncode != 0
    assert "--data" in result.stderr and "Traceback" not in result.stderr


def rejoin(product: Product, server: GameServer) -> GameServer:
    """The same server through a new client, its node linked again."""
    again = object.__new__(GameServer)
    again.__dict__.update(server.__dict__, client=product.admin())
    wait_until(lambda: again.client.get(f"{again.path}/console").status_code == 200, 20, "the node's answer")
    return again


def assert_running(server: GameServer) -> None:
    """The game runs although nothing of ours may be there."""
    assert _keepers(server), "the game's keeper is gone"


def _keepers(server: GameServer) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(server.id in argument for argument in process.info["cmdline"] or [])
    ]


def _children_left(product: Product) -> list[psutil.Process]:
    data = str(product.data)
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if "stellar" in " ".join(process.info["cmdline"] or [])
        and data in (process.info["cmdline"] or [])
        and "keeper.py" not in " ".join(process.info["cmdline"] or [])
    ]


def _other_child(product: Product, name: str, killed: int) -> bool:
    try:
        return product.child(name) != killed
    except LookupError:
        return False


def _works(server: GameServer) -> bool:
    return server.client.get(f"{server.path}/console").status_code == 200
