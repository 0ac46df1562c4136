"""The main job in Docker: from a blueprint to a running game in a container, and back to nothing."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator

import pytest
from docker_parts import GAME, Daemon, running_daemon
from product import GameServer, Product

from stellar.testing.waiting import wait_until

pytestmark = pytest.mark.e2e

OTHER = "127.0.0.1:1/stellar/other:2"
BLUEPRINT = f"""
format = 1
name = "boxed"
title = "Boxed"
description = "A game in a container."
category = "other"
[runtimes.process]
[runtimes.docker]
images = [{{ name = "One", image = "{GAME}" }}, {{ name = "Two", image = "{OTHER}" }}]
[install]
script = '''
echo "installing as $(id -u)"; echo installed > world
cat >game.sh <<'END'
echo "$(cat world) $1 on $SERVER_IP"; echo ready
(i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done) &
while read line; do echo "heard $1 $line"; [ "$line" = quit ] && exit 0; done
END
'''
[startup]
command = "exec sh game.sh {{{{WORD}}}}"
done = ["ready"]
[stop]
command = "quit"
grace_seconds = 20
[[variables]]
env = "WORD"
label = "Word"
default = "hello"
rules = "required|max:64"
"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    for daemon in running_daemon():
        daemon.load(OTHER)
        yield daemon


@pytest.fixture
def product(new_product: Callable[..., Product], daemon: Daemon) -> Product:
    """A running product whose node has Docker."""
    made = new_product(STELLAR_DOCKER_HOST=daemon.host)
    made.start()
    assert made.admin().post("/api/v1/blueprints", json={"toml": BLUEPRINT}).status_code == 201
    return made


def images(daemon: Daemon, server: GameServer) -> list[str]:
    """What the server's containers are made of."""
    found = [one for one in daemon.containers() if one["Labels"].get("io.stellar.server") == server.id]
    return [daemon.call("GET", f"/images/{one['ImageID']}/json").json()["RepoTags"][0] for one in found]


def numbers(server: GameServer) -> list[int]:
    return [int(found) for found in re.findall(r"(?m)^line (\d+)\r?$", server.output())]


def test_the_whole_road(product: Product, daemon: Daemon) -> None:
    client = product.admin()
    refused = client.post("/api/v1/servers", json={"name": "x", "blueprint": "boxed", "image": "--privileged"})
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["image"])
    server = GameServer(client, "boxed", variables={"WORD": "it's $HOME"}, pids=99, swap_mb=32)
    server.wait("offline", 60)
    found = server.get()
    assert (found["runtime"], found["image"], found["limits"]["pids"]) == ("docker", GAME, 99)
    assert found["install"]["ok"] and "installing as 0" in found["install"]["log"]
    assert server.power("start").status_code == 202
    server.wait("running")
    server.says("installed it's $HOME on 0.0.0.0")
    server.command("abc")
    server.says("heard it's $HOME abc")
    assert images(daemon, server) == [GAME]
    wait_until(lambda: client.get(f"{server.path}/stats").json()["memory_bytes"] > 0, what="its memory")

    # The agent is killed and comes back: no line lost, none twice.
    before = numbers(server)[-1]
    os.kill(product.child("agent"), signal.SIGKILL)
    wait_until(lambda: _printed(server) > before + 100, 60, "more lines")
    found_numbers = numbers(server)
    assert found_numbers == list(range(1, len(found_numbers) + 1))
    assert server.state() == "running"
    server.command("def")
    server.says("heard it's $HOME def")

    assert client.patch(f"{server.path}/startup", json={"runtime": "process"}).status_code == 409
    assert client.patch(f"{server.path}/startup", json={"image": "Two"}).json()["image"] == OTHER
    assert server.power("restart").status_code == 202
    wait_until(lambda: images(daemon, server) == [OTHER], 60, "the other image")
    server.wait("running")
    assert server.power("stop").status_code == 202
    server.wait("offline", 60)
    assert images(daemon, server) == []
    assert client.patch(f"{server.path}/startup", json={"runtime": "process"}).json()["runtime"] == "process"
    spec = product.data / "agent/servers" / server.id / "spec.json"
    wait_until(lambda: '"runtime":"process"' in spec.read_text(), what="the node being told")
    assert server.power("start").status_code == 202
    server.wait("running")
    assert images(daemon, server) == [], "its files serve the other runtime as well"
    assert client.delete(server.path).status_code == 204
    assert daemon.containers() == []


def test_pages_and_commands(product: Product, daemon: Daemon) -> None:
    client = product.admin()
    page = client.get("/servers/new?blueprint=boxed").text
    assert f'<option value="{OTHER}">' in page and 'name="runtime"' in page
    node = client.get("/api/v1/nodes").json()["items"][0]["id"]
    wait_until(lambda: 'data-testid="protection-docker"' in client.get(f"/nodes/{node}").text, what="its protections")
    made = product.run(
        "server", "create", "Boxed", "--blueprint", "boxed", "--owner", "ada@example.com", "--image", OTHER
    )
    assert made.returncode == 0, made.stderr
    server = client.get("/api/v1/servers").json()["items"][0]["id"]
    assert product.run("server", "runtime", server).stdout == f"docker ({OTHER})\n"
    changed = product.run("server", "runtime", server, "--image", "One")
    assert changed.returncode == 0, changed.stderr
    limits = ("--swap", "-1", "--cpu-set", "0", "--io-weight", "200", "--pids", "64", "--no-oom-kill")
    changed = product.run("server", "resources", server, *limits, "--mount", "/srv/maps:/maps")
    assert changed.returncode == 0, changed.stderr
    shown = client.get(f"/api/v1/servers/{server}").json()
    assert shown["mounts"] == [{"source": "/srv/maps", "target": "/maps", "read_only": True}]
    expected = {"swap_mb": -1, "cpu_set": "0", "io_weight": 200, "pids": 64, "oom_kill": False}
    assert shown["limits"].items() >= expected.items()
    wrong = product.run("server", "resources", server, "--cpu-set", "3-1")
    assert wrong.returncode != 0 and "cpu_set" in wrong.stderr and "Traceback" not in wrong.stderr
    assert f'<option value="{GAME}" selected>' in client.get(f"/servers/{server}/startup").text
    settings = client.get(f"/servers/{server}/settings").text
    assert "/srv/maps as /maps" in settings and 'name="io_weight"' in settings

    signed_in = product.run("registry", "login", "ghcr.io", "-u", "me", "--password-stdin", input="s3cret-token\n")
    assert signed_in.returncode == 0, signed_in.stderr
    secret = product.data / "agent/registries.json"
    assert secret.stat().st_mode & 0o777 == 0o600
    listed = product.run("registry", "list").stdout
    assert "ghcr.io" in listed and "me" in listed and "s3cret" not in listed
    node = client.get("/api/v1/nodes").text
    assert "s3cret" not in node and "registries" not in node
    assert product.run("registry", "logout", "ghcr.io").returncode == 0
    assert "s3cret" not in secret.read_text()


def _printed(server: GameServer) -> int:
    answer = server.client.get(f"{server.path}/console")
    return numbers(server)[-1] if answer.status_code == 200 else 0
