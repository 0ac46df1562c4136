"""The web process as a command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from stellar.testing.valkey import ValkeyServer
from stellar.testing.waiting import wait_until


def start(data: Path, valkey: ValkeyServer, port: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "STELLAR_REDIS_URL": valkey.url}
    command = [sys.executable, "-m", "stellar", "web", "--port", str(port), "--data", str(data)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def test_it_serves_until_the_signal(tmp_path: Path, valkey: ValkeyServer) -> None:
    port = free_port()
    process = start(tmp_path, valkey, port)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(url) or process.poll() is not None, 30, what="the web process")
        assert answers(url), process.stderr and process.stderr.read()
        document = httpx.get(f"{url}/api/v1/openapi.json", trust_env=False).json()
        assert "/api/v1/auth/signin" in document["paths"]
        assert httpx.get(f"{url}/auth/signin", trust_env=False).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.communicate()


def test_a_busy_port_is_one_sentence(tmp_path: Path, valkey: ValkeyServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start(tmp_path, valkey, taken.getsockname()[1])
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "choose another with --port" in errors and "Traceback" not in errors
