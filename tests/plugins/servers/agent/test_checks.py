from __future__ import annotations

import socket
import uuid
from pathlib import Path

import msgspec
import pytest

from stellar.plugins.servers.agent.checks import port_checks, runtime_checks
from stellar.plugins.servers.agent.quota import Quotas
from stellar.plugins.servers.agent.runtime import Protection


class Broken:
    name = "broken"

    async def protection(self) -> Protection:
        raise OSError("no socket answers")


async def test_without_a_runtime_the_machine_is_no_node(tmp_path: Path) -> None:
    checks = await runtime_checks({"broken": Broken()}, Quotas(tmp_path))  # type: ignore[dict-item]
    assert [(one.ok, one.required) for one in checks] == [(False, False), (False, True)]
    assert checks[0].detail == "no socket answers"


@pytest.mark.parametrize(("kind", "name"), [(socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")])
def test_a_port_that_something_else_has(tmp_path: Path, kind: socket.SocketKind, name: str) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        save_server(tmp_path, {"ip": "127.0.0.1", "port": port, "protocol": name})
        (check,) = port_checks(tmp_path)
        assert not check.ok and name.upper() in check.detail and "“attic” another allocation" in check.detail
    (check,) = port_checks(tmp_path)
    assert check.ok and not check.detail


def test_what_is_no_server_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk/spec.json").write_text("{")
    assert port_checks(tmp_path) == [] == port_checks(tmp_path / "none")


def save_server(servers: Path, port: dict[str, object]) -> None:
    server_id = str(uuid.uuid4())
    values = {"id": server_id, "name": "attic", "runtime": "process", "startup": "", "stop": {}, "done": []}
    values |= {"install_id": "1", "install_script": None, "variables": {}, "limits": {}, "ports": [port]}
    (servers / server_id).mkdir()
    (servers / server_id / "spec.json").write_bytes(msgspec.json.encode(values))
