"""A node on another machine, which reaches nothing of the panel's but its port."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from namespace import Machine
from product import COUNTER, GameServer, Product, game_ports

from stellar.testing.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

NAME = "attic"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A second machine, to which the panel's data directory doesn't exist."""
    (tmp_path / "data").mkdir()
    made = Machine(hidden=tmp_path / "data")
    try:
        made.make()
        yield made
    finally:
        made.remove()


class Agent:
    """``stellar agent`` on the second machine."""

    def __init__(self, machine: Machine, product: Product, join: str, data: Path) -> None:
        program, *arguments = shlex.split(join)
        assert program == "stellar"
        self.data = data
        self.log = data.with_name("agent.log")
        with self.log.open("wb") as log:
            subprocess.Popen(
                machine.command(*product.command, *arguments, "--data", str(data)),
                env={name: value for name, value in product.environment.items() if not name.startswith("STELLAR_")},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def logged(self, server: GameServer) -> int:
        """How many bytes the node's own log of a server's console has."""
        return sum(path.stat().st_size for path in self.data.glob(f"agent/servers/{server.id}/**/*.log"))


def test_a_server_on_a_second_machine(machine: Machine, new_product: Callable[..., Product], tmp_path: Path) -> None:
    product = new_product("data", host=machine.host)
    product.start()
    machine.reach_only(product.port)
    client = product.admin()

    agent = Agent(machine, product, join_command(product), tmp_path / "machine")
    wait_until(lambda: node(client).get("online"), 30, f"the node being online ({agent.log.read_text()})")
    assert node(client)["address"] == machine.address
    assert_only_the_panel_is_reachable(machine, product)

    server = GameServer(client, "generic", node=NAME, variables={"START_COMMAND": f"exec bash -c '{COUNTER}'"})
    assert server.get()["node"]["name"] == NAME
    server.wait("offline", 20)
    server.power("start")
    server.wait("running", 20)
    server.command("from far away")
    server.says("heard from far away")
    assert_files_work(server)

    viewer = server.socket()
    viewer.send("resume", after=0)
    viewer.until(lambda: "line 50\r\n" in viewer.text)
    machine.cut()
    logged = agent.logged(server)
    wait_until(lambda: not node(client)["online"], 30, "the node being offline")
    refused = client.post(f"{server.path}/command", json={"command": "anybody there?"})
    assert (refused.status_code, refused.json()["code"]) == (503, "node_unreachable"), refused.text
    assert agent.logged(server) > logged + 1000, "the server has stopped talking while the cable was out"

    machine.mend()
    wait_until(lambda: node(client)["online"], 40, "the node being online again")
    wait_until(lambda: server.state() == "running", 10, "the server's state")
    server.command("back again")
    viewer.until(lambda: "heard back again" in viewer.text, 30)
    assert viewer.gaps == []
    assert_whole(viewer.text)
    viewer.close()
    assert_whole(server.output())
    assert "anybody there?" not in server.output()
    assert server.power("stop").status_code == 202
    server.wait("offline", 30)


def join_command(product: Product) -> str:
    """What ``stellar node create`` tells the person to paste."""
    made = product.run("node", "create", NAME, "--ports", game_ports())
    assert made.returncode == 0, made.stderr
    found = re.search(r"^ +(stellar agent .+)$", made.stdout, re.MULTILINE)
    assert found, made.stdout
    assert product.url in found[1]
    return found[1]


def node(client: httpx.Client) -> dict[str, Any]:
    """The second machine as the panel sees it."""
    found = {row["name"]: row for row in client.get("/api/v1/nodes").json()["items"]}
    assert set(found) == {"local", NAME}
    return dict(found[NAME])


def assert_only_the_panel_is_reachable(machine: Machine, product: Product) -> None:
    """Not Redis, not the database, not any other port, not another network."""
    panel = (machine.host, product.port)
    with socket.create_server((machine.host, 0)) as decoy:
        other = (machine.host, int(decoy.getsockname()[1]))
        socket.create_connection(other, 3).close()
        targets = {
            (machine.host, found.laddr.port) for found in psutil.net_connections("tcp") if found.status == "LISTEN"
        }
        assert {panel, other} <= targets
        assert machine.reaches(sorted(targets)) == [panel]
    elsewhere = [(found.address, product.port) for found in addresses() if found.address != machine.host]
    assert machine.reaches(elsewhere) == []
    assert list(product.data.glob("run/valkey.sock")) and list(product.data.glob("stellar.db"))
    assert machine.run("ls", "-A", str(product.data)) == ""


def addresses() -> list[Any]:
    """The IPv4 addresses of this machine."""
    return [found for all_ in psutil.net_if_addrs().values() for found in all_ if found.family == socket.AF_INET]


def assert_files_work(server: GameServer) -> None:
    """A file goes there and comes back as it was."""
    content = bytes(range(256)) * 2000
    made = server.client.post(f"{server.path}/files/folder", json={"path": "maps"})
    assert made.status_code == 201, made.text
    url = f"{server.path}/files/content"
    written = server.client.put(url, params={"path": "maps/new.bin"}, content=content)
    assert written.status_code == 200, written.text
    assert server.client.get(url, params={"path": "maps/new.bin"}).content == content
    listed = server.client.get(f"{server.path}/files", params={"path": "maps"}).json()
    assert [entry["name"] for entry in listed["entries"]] == ["new.bin"]


def assert_whole(text: str) -> None:
    """Every line is there once, in order."""
    numbers = [int(line[5:]) for line in text.splitlines() if re.fullmatch(r"line \d+", line)]
    assert numbers == list(range(1, len(numbers) + 1))
