"""A second machine: a network namespace that reaches one TCP port of this machine and nothing else."""

from __future__ import annotations

import ipaddress
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stellar.testing.waiting import wait_until

NETWORK = ipaddress.ip_network("10.213.0.0/16")
PROBE = """
import json, socket, sys
reached = []
for host, port in json.load(sys.stdin):
    try:
        socket.create_connection((host, port), 3).close()
    except OSError:
        continue
    reached.append([host, port])
print(json.dumps(reached))
"""


class Machine:
    """Its link to us is a veth pair; ``host`` is our address on it, ``address`` its own."""

    def __init__(self, hidden: Path) -> None:
        """``hidden`` is a directory of ours that it sees empty."""
        self.hidden = hidden
        self.name = f"stellar-{os.getpid()}-{random.randrange(10**6):06}"
        self._link = f"st{random.randrange(16**10):010x}"
        subnet = random.choice(list(NETWORK.subnets(new_prefix=30)))
        self.host, self.address = (str(found) for found in subnet.hosts())

    def make(self) -> None:
        """Make it; skips the test where this user or kernel can't."""
        if os.geteuid() != 0:
            pytest.skip("a network namespace needs root: run the tests as root")
        made = _try("netns", "add", self.name)
        if made.returncode != 0:
            pytest.skip(f"optional: network namespaces don't work here: {made.stderr.strip()}")
        _ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _ip("addr", "add", f"{self.host}/30", "dev", self._link)
        _ip("link", "set", self._link, "up")
        for arguments in (
            ["addr", "add", f"{self.address}/30", "dev", "eth0"],
            ["link", "set", "eth0", "up"],
            ["link", "set", "lo", "up"],
        ):
            _ip("-n", self.name, *arguments)

    def reach_only(self, port: int) -> None:
        """From now on nothing but this TCP port of ours, and itself, is reachable from it."""
        rule = ["-n", self.name, "rule", "add", "pref"]
        _ip(*rule, "10", "ipproto", "tcp", "dport", str(port), "lookup", "main")
        _ip(*rule, "20", "unreachable")

    def command(self, *arguments: str) -> list[str]:
        """A command line that runs ``arguments`` there."""
        enter = ["nsenter", f"--net=/run/netns/{self.name}", "unshare", "--mount", "sh", "-c"]
        return [*enter, 'mount -t tmpfs tmpfs "$0" && exec "$@"', str(self.hidden), *arguments]

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run a command there; what it prints."""
        command = self.command(*arguments)
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def reaches(self, targets: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Those of the targets that accept a TCP connection from there."""
        answer = json.loads(self.run(sys.executable, "-c", PROBE, stdin=json.dumps(targets)))
        return [(host, port) for host, port in answer]

    def cut(self) -> None:
        """Pull the cable."""
        _ip("link", "set", self._link, "down")

    def mend(self) -> None:
        """Plug it in again."""
        _ip("link", "set", self._link, "up")

    def remove(self) -> None:
        """End everything that runs in it, and take it away."""
        if not Path("/run/netns", self.name).exists():
            return
        for process in self._processes():
            os.kill(process, signal.SIGKILL)
        try:
            wait_until(lambda: not self._processes(), 10, "the end of what ran in the namespace")
        finally:
            _try("netns", "del", self.name)
            _try("link", "del", self._link)

    def _processes(self) -> list[int]:
        return [int(line) for line in _try("netns", "pids", self.name).stdout.split()]


def _try(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=30, check=False)


def _ip(*arguments: str) -> None:
    done = _try(*arguments)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
