"""How much memory an idle ``stellar run`` holds, process by process, and one game server's keeper.

``python tests/bench/memory.py`` prints the summed PSS (shared pages split among those that share them) in MB of
10^6 bytes, and asserts none.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from common import new_product, parser, report
from product import GameServer, Product

ROLES = ("valkey", "web", "worker", "agent")
FIELD = re.compile(r"^(Pss|Private_Clean|Private_Dirty): +(\d+) kB$", re.MULTILINE)


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--settle", type=float, default=5.0, help="seconds of idleness before looking")
    given = options.parse_args()
    with new_product(given) as product:
        product.start()
        client = product.admin()
        time.sleep(given.settle)
        show(product)
        server = GameServer(client, "generic", variables={"START_COMMAND": "exec cat"})
        server.wait("offline")
        server.power("start").raise_for_status()
        server.wait("running")
        time.sleep(given.settle)
        show_keeper(server)


def show(product: Product) -> None:
    """Every process that ``stellar run`` has started, and the sum."""
    assert product.process is not None
    pids = [product.process.pid, *descendants(product.process.pid)]
    total = 0.0
    for pid in pids:
        pss, private = memory(pid)
        total += pss
        role = "supervisor" if pid == product.process.pid else role_of(pid)
        report(f"idle memory of the {role}, MB", pss=pss, private=private, **({"aim": 40} if role == "agent" else {}))
    report("idle memory of everything, MB", pss=round(total, 1), processes=len(pids), aim=160)


def show_keeper(server: GameServer) -> None:
    """The keeper of one running server."""
    found = [pid for pid in all_pids() if server.id in command_line(pid) and "keeper.py" in command_line(pid)]
    for pid in found:
        pss, private = memory(pid)
        report("memory of a keeper, MB", pss=pss, private=private, aim=7)


def descendants(parent: int) -> list[int]:
    """Children, their children and so on."""
    children = [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return [pid for child in children for pid in (child, *descendants(child))]


def role_of(pid: int) -> str:
    """What a process is for."""
    line = command_line(pid)
    return next((role for role in ROLES if role in line), line)


def all_pids() -> list[int]:
    """Every process that there is."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def command_line(pid: int) -> str:
    """Its arguments, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").replace("\0", " ")
    except OSError:
        return ""


def memory(pid: int) -> tuple[float, float]:
    """PSS, and of that the pages that it shares with nobody."""
    sizes = {name: int(kib) for name, kib in FIELD.findall(Path(f"/proc/{pid}/smaps_rollup").read_text())}
    private = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return round(sizes["Pss"] * 1.024e-3, 1), round(private * 1.024e-3, 1)


if __name__ == "__main__":
    main()
