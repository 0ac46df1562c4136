"""Whether a server listens on a port, from /proc: no connection is made, and nobody else's socket counts.

The sockets are looked up in the network namespace of the server's own processes, so that a proxy in front of a
container, or another program that has the port, doesn't pass for the game.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

TCP_LISTEN = "0A"
UDP_UNCONNECTED = "07"
_STATES = {"tcp": TCP_LISTEN, "udp": UDP_UNCONNECTED}


def listens(pids: Collection[int], port: int, protocol: str) -> bool:
    """Whether one of these processes listens on the port of ``tcp`` or ``udp``, on whatever address."""
    found = {socket for pid in _one_of_each_network(pids) for socket in _sockets(pid, port, protocol)}
    return bool(found) and _hold(pids, found)


def _one_of_each_network(pids: Collection[int]) -> Iterator[int]:
    seen: set[str] = set()
    for pid in pids:
        try:
            network = os.readlink(f"/proc/{pid}/ns/net")  # noqa: PTH115 (twice a second)
        except OSError:
            network = f"of {pid}"
        if network not in seen:
            seen.add(network)
            yield pid


def _sockets(pid: int, port: int, protocol: str) -> Iterator[str]:
    """What /proc/PID/fd calls the listening sockets of this port in the network namespace of a process."""
    for table in (protocol, f"{protocol}6"):
        try:
            with open(f"/proc/{pid}/net/{table}") as lines:  # noqa: PTH123 (twice a second)
                next(lines, "")
                rows = [line.split() for line in lines]
        except OSError:
            continue
        for fields in rows:
            if fields[3] == _STATES[protocol] and int(fields[1].rpartition(":")[2], 16) == port:
                yield f"socket:[{fields[9]}]"


def _hold(pids: Collection[int], sockets: Collection[str]) -> bool:
    """Whether one of the processes has one of the sockets; taken for granted where none shows what it has."""
    hidden = 0
    for pid in pids:
        try:
            names = os.listdir(f"/proc/{pid}/fd")  # noqa: PTH208 (names only)
        except PermissionError:
            hidden += 1
            continue
        except OSError:
            continue
        if any(_target(pid, name) in sockets for name in names):
            return True
    return 0 < hidden == len(pids)


def _target(pid: int, name: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/fd/{name}")  # noqa: PTH115 (many of them)
    except OSError:
        return ""
