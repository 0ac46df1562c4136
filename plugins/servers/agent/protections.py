"""What really protects a host from the servers that are its processes, and what to do about the rest."""

from __future__ import annotations

from . import cgroups
from .runtime import Protection
from .sandbox import Abilities

NO_FILES = (
    "Without bubblewrap and without Landlock, a server reads whatever its user may read here; "
    "install bubblewrap with: apt-get install bubblewrap"
)
NO_PROCESSES = (
    "Servers run as the agent's own user and could signal each other and the agent; "
    "install bubblewrap with: apt-get install bubblewrap"
)
NO_NETWORK = (
    "Servers that are processes share this machine's network and reach what listens on it; "
    "use the docker runtime for a network of their own."
)
WATCHDOG = "Until then a watchdog ends a server that is over its limit."
NO_MEMORY = "Needs the cgroup controller memory, which doesn't work here."
NO_WAITING = "Version 2 of control groups always ends a server whose memory is full; it can't be made to wait."
NO_SWAP = "This kernel doesn't count swap (boot it with swapaccount=1), so a server may use all that there is."
PER_USER = "Limited per user, by rlimit."
ONLY_ASKED = "Until then a server is only started on its processors, and may choose others."


def describe(abilities: Abilities, groups: cgroups.Found) -> Protection:
    """Each protection by name: whether it is active, and why not where it isn't."""
    confined = abilities.confinement
    active = {
        "sandbox": abilities.bwrap,
        "own_uid": abilities.own_uid,
        "files": abilities.bwrap or confined.files,
        "processes": abilities.bwrap or abilities.own_uid or confined.scope,
        "syscalls": confined.filter is not None,
        "sockets": confined.scope,
        "network": False,
        **{name: name in groups.active for name in cgroups.CONTROLLERS},
        "swap": cgroups.offers(groups, "memory.memsw.limit_in_bytes", "memory.swap.max"),
        "oom": cgroups.offers(groups, "memory.oom_control"),
    }
    reasons = {**groups.reasons, **abilities.reasons, "network": NO_NETWORK}
    if not active["memory"]:
        reasons["memory"] += f" {WATCHDOG}"
        reasons |= {"swap": NO_MEMORY, "oom": NO_MEMORY}
    else:
        reasons |= {"swap": NO_SWAP, "oom": NO_WAITING}
    if not active["cpuset"]:
        reasons["cpuset"] += f" {ONLY_ASKED}"
    if not active["pids"] and abilities.own_uid:
        active["pids"] = True
        reasons["pids"] = PER_USER
    reasons.setdefault("files", NO_FILES)
    reasons.setdefault("processes", NO_PROCESSES)
    wanted = {name for name, works in active.items() if not works} | (
        {"pids"} if PER_USER in reasons.values() else set()
    )
    return Protection(active, {name: reason for name, reason in reasons.items() if name in wanted})
