"""A run's files and its keeper, from outside: starting it, whether it lives, and ending what one has left."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import signal as signals
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stellar.errors import NotFound

from ..processors import parse_processors
from . import cgroups, confinement, proctree, sandbox
from .beneath import Root
from .console_log import ConsoleLog
from .layout import Layout
from .probe import SEARCH_PATH
from .runtime import Launch

KEEPER = Path(__file__).with_name("keeper.py")
START_SECONDS = 20.0
SWEEP_SECONDS = 15.0
MARKER = "STELLAR_RUN"


@dataclass(frozen=True)
class Launched:
    """What the file ``launch`` says of a run; ``boot`` identifies the machine's boot that it belongs to."""

    server_id: str
    kind: str
    token: str
    boot: str
    started_at: float
    log_start: int
    uid: int | None
    sandboxed: bool
    cgroups: list[Path] = field(default_factory=list)
    key: str = ""
    """What a client has to show to the keeper; those before this one ask for none."""

    def pairs(self) -> list[tuple[str, str]]:
        """As the file has them; of these the keeper reads ``uid``, ``cgroup`` and ``key``."""
        found = [("server_id", self.server_id), ("kind", self.kind), ("token", self.token), ("boot", self.boot)]
        found += [("started_at", repr(self.started_at)), ("log_start", str(self.log_start))]
        found += [("uid", str(self.uid))] if self.uid is not None else []
        found += [("sandboxed", "1")] if self.sandboxed else []
        found += [("key", self.key)] if self.key else []
        return found + [("cgroup", str(path)) for path in self.cgroups]

    @classmethod
    def read(cls, path: Path) -> Launched:
        """``OSError``, ``KeyError`` or ``ValueError`` where there is no whole file."""
        fields = os.fsdecode(path.read_bytes()).split("\0")
        pairs = list(zip(fields[::2], fields[1::2], strict=False))
        one = dict(pairs)
        return cls(
            server_id=one["server_id"],
            kind=one["kind"],
            token=one["token"],
            boot=one["boot"],
            started_at=float(one["started_at"]),
            log_start=int(one["log_start"]),
            uid=int(one["uid"]) if "uid" in one else None,
            sandboxed="sandboxed" in one,
            cgroups=[Path(value) for name, value in pairs if name == "cgroup"],
            key=one.get("key", ""),
        )


def boot_id() -> str:
    """This boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def make_directories(launch: Launch, abilities: sandbox.Abilities) -> None:
    """The server's directories, with the data belonging to the server's user."""
    layout = Layout(launch.root)
    for path in (layout.root, layout.data, layout.console, layout.run):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sandbox.needs_temporary(abilities):
        _make_empty(layout.root, sandbox.TEMPORARY)
    if not abilities.own_uid:
        return
    sandbox.give(layout.data, sandbox.server_uid(launch.server_id))
    if not abilities.bwrap:
        layout.root.chmod(0o711)


def _make_empty(root: Path, name: str) -> None:
    with Root(root) as files:
        with contextlib.suppress(NotFound):
            files.remove(name)
        files.mkdir(name)


def start_keeper(
    launch: Launch, abilities: sandbox.Abilities, groups: cgroups.Found, first_client: socket.socket
) -> Launched:
    """Start a keeper in the background, with its first client; ``OSError`` where that fails."""
    layout, token = Layout(launch.root), secrets.token_hex(8)
    wrapped = sandbox.wrap(abilities, launch, layout.data, layout.run)
    launched = Launched(
        server_id=launch.server_id,
        kind=launch.kind,
        token=token,
        boot=boot_id(),
        started_at=time.time(),
        log_start=ConsoleLog(layout.console).end,
        uid=wrapped.uid,
        sandboxed=wrapped.sandboxed,
        cgroups=cgroups.create(groups, f"{launch.server_id}-{token}", launch.limits),
        key=secrets.token_hex(16),
    )
    env = {**sandbox.base_env(wrapped.home), **confinement.library_path(), MARKER: token}
    pairs = [*launched.pairs(), ("log", str(layout.console)), ("cwd", str(wrapped.cwd))]
    pairs += [("arg", value) for value in wrapped.argv]
    pairs += [("env", f"{name}={value}") for name, value in env.items()]
    if launch.limits.memory_mb and "memory" not in groups.active:
        pairs.append(("watch_memory", str(launch.limits.memory_mb * cgroups.MEGABYTE)))
    if wrapped.uid is not None and "pids" not in groups.active:
        pairs.append(("processes", str(launch.limits.pids or cgroups.PROCESSES)))
    if launch.limits.cpu_set and "cpuset" not in groups.active:
        pairs.append(("processors", ",".join(map(str, parse_processors(launch.limits.cpu_set) or []))))
    (layout.run / "exit.json").unlink(missing_ok=True)
    _write_whole(layout.run / "launch", "".join(f"{name}\0{value}\0" for name, value in pairs))
    _spawn(layout.run, first_client)
    return launched


def is_alive(run: Path) -> bool:
    """Whether a keeper lives in this directory: it holds the lock as long as it does."""
    try:
        fd = os.open(run / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def end_keeper(run: Path) -> None:
    """Kill a keeper that doesn't answer; a sandbox dies with it."""
    if is_alive(run):
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((run / "lock").read_text()), signals.SIGKILL)


def connect(run: Path, key: str) -> socket.socket:
    """A connection to the keeper; by way of /proc because the path of a socket may not exceed 108 bytes."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    folder = os.open(run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{folder}/socket")
        if key:
            sock.send(b"a" + len(key).to_bytes(4, "big") + key.encode())
    except OSError:
        sock.close()
        raise
    finally:
        os.close(folder)
    return sock


def last_words(run: Path) -> str:
    """The last line of what a keeper had to complain about."""
    lines = (run / "keeper.log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it gave no reason"


def sweep(launched: Launched) -> None:
    """End whatever a keeper that was killed has left, and remove the run's control groups."""
    deadline = time.monotonic() + SWEEP_SECONDS
    marker = f"{MARKER}={launched.token}".encode()
    while (left := set(_left(launched, marker))) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signals.SIGKILL)
        time.sleep(0.01)
    for directory in launched.cgroups:
        cgroups.remove(directory)


def _left(launched: Launched, marker: bytes) -> Iterator[int]:
    for directory in launched.cgroups:
        yield from cgroups.members(directory)
    for pid in proctree.pids():
        if proctree.is_zombie(pid):
            continue
        mine = launched.uid is not None and proctree.uid(pid) == launched.uid
        if mine or marker in proctree.environ(pid):
            yield pid


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(os.fsencode(text))
    temporary.replace(path)


def _spawn(run: Path, first_client: socket.socket) -> None:
    """The started process only leaves the keeper behind, so that that is nobody's child."""
    env = {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", **confinement.library_path()}
    with (run / "keeper.log").open("w") as complaints:
        subprocess.run(
            [sys.executable, "-I", "-S", str(KEEPER), str(run)],
            stdin=first_client.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env=env,
            cwd="/",
            start_new_session=True,
            timeout=START_SECONDS,
            check=True,
        )
