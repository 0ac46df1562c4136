"""The keeper's parts: how it comes to live by itself, its log, its clients and a look at /proc.

Standard library only: loaded by keeper.py without its package, see there.
"""

# No pathlib: it would cost every running server memory.
# ruff: noqa: PTH108, PTH116, PTH123, PTH208, S606
from __future__ import annotations

import _socket
import fcntl
import os
import sys
import time

READ_BYTES = 64 * 1024
FRAME_BYTES = 64 * 1024


class Process:
    """One process as /proc shows it; ids are those of this keeper's pid namespace."""

    __slots__ = ("group", "name", "parent", "pid", "zombie")

    def __init__(self, pid: int) -> None:
        with open(f"/proc/{pid}/stat", "rb") as file:
            head, _, tail = file.read().rpartition(b") ")
        fields = tail.split()
        self.pid = pid
        self.name = head.partition(b"(")[2]
        self.zombie = fields[0] == b"Z"
        self.parent = int(fields[1])
        self.group = int(fields[2])

    def catches(self, number: int) -> bool:
        """Whether it has a handler for a signal."""
        mask = read_first(f"/proc/{self.pid}/status").partition("SigCgt:\t")[2].partition("\n")[0]
        return bool(mask) and bool(int(mask, 16) >> (number - 1) & 1)


def processes() -> list[Process]:
    """Everything that runs on this machine, as far as this process may see it."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found.append(Process(int(name)))
            except OSError:
                continue
    return found


def memory_used(pid: int) -> int:
    """Bytes that a process holds itself or shares as memory, without files that it has mapped."""
    used = 0
    for line in read_first(f"/proc/{pid}/status").splitlines():
        name, _, value = line.partition(":")
        if name in ("RssAnon", "RssShmem"):
            used += int(value.split()[0]) * 1024
    return used


def kill(pid: int, number: int) -> None:
    """Signal a process that may be gone."""
    try:
        os.kill(pid, number)
    except OSError:
        return


def kill_user(uid: int) -> None:
    """Kill all processes of a user at once, as only one of them can."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        if os.getresuid() == (uid, uid, uid):
            os.kill(-1, 9)
    finally:
        os._exit(0)


def read_first(path: str) -> str:
    """A small file's text, empty where it can't be read."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def write_existing(path: str, text: str) -> None:
    """Write a control file, where there is one."""
    try:
        fd = os.open(path, os.O_WRONLY)
    except OSError:
        return
    try:
        os.write(fd, text.encode())
    except OSError:
        pass
    finally:
        os.close(fd)


class Log:
    """The writing side of the console log, in ``directory``."""

    def __init__(self, directory: str, segment_bytes: int, segments: int) -> None:
        self.directory, self.segment_bytes, self.segments = directory, segment_bytes, segments
        self.fd, self.base, self.end, self.lost = -1, 0, 0, 0
        bases = self.bases()
        if bases:
            self.base = bases[-1]
            self.end = self.base + os.stat(self.path(self.base)).st_size

    def path(self, base: int) -> str:
        return f"{self.directory}/{base:020d}.log"

    def bases(self) -> list[int]:
        return sorted(int(name[:20]) for name in os.listdir(self.directory) if name.endswith(".log"))

    def write(self, data: bytes) -> None:
        """Append; what a full disk doesn't take is counted and reported in the log when there is space again."""
        if self.lost:
            note = b"\r\n[stellar] the disk was full: %d bytes of output are missing here\r\n" % self.lost
            if self.append(note):
                self.lost += len(data)
                return
            self.lost = 0
        self.lost += self.append(data)

    def append(self, data: bytes) -> int:
        """Write as much as possible; the number of bytes that didn't fit."""
        rest = memoryview(data)
        try:
            while rest:
                if self.fd < 0 or self.end - self.base >= self.segment_bytes:
                    self.open_segment()
                room = max(self.segment_bytes - (self.end - self.base), 1)
                count = os.write(self.fd, rest[:room])
                self.end += count
                rest = rest[count:]
        except OSError:
            pass
        return len(rest)

    def open_segment(self) -> None:
        base = self.end if self.end - self.base >= self.segment_bytes else self.base
        fd = os.open(self.path(base), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if self.fd >= 0:
            os.close(self.fd)
        self.fd, self.base = fd, base
        for old in self.bases()[: -self.segments]:
            os.unlink(self.path(old))


class Client:
    """One attached agent; nothing here ever waits for it."""

    def __init__(self, sock: _socket.socket, *, known: bool) -> None:
        sock.setblocking(False)
        self.known = known
        self.sock, self.inbox, self.outbox, self.told = sock, bytearray(), bytearray(), -1

    def put(self, kind: bytes, value: int) -> None:
        self.outbox += kind + value.to_bytes(8, "big")

    def tell(self, end: int) -> None:
        """Tell the log's end once the frames before have left: later ends replace earlier ones."""
        if end != self.told and not self.outbox:
            self.told = end
            self.put(b"o", end)

    def flush(self) -> bool:
        """Send what goes; False when the client is gone or doesn't read its answers."""
        try:
            while self.outbox:
                del self.outbox[: self.sock.send(self.outbox)]
        except BlockingIOError:
            return len(self.outbox) < FRAME_BYTES
        except OSError:
            return False
        return True

    def frames(self) -> list[tuple[bytes, bytes]] | None:
        """The whole frames that have arrived; None when the client is gone or sends nonsense."""
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        self.inbox += data
        found = []
        while len(self.inbox) >= 5:
            size = int.from_bytes(self.inbox[1:5], "big")
            if size > FRAME_BYTES:
                return None
            if len(self.inbox) < 5 + size:
                break
            found.append((bytes(self.inbox[:1]), bytes(self.inbox[5 : 5 + size])))
            del self.inbox[: 5 + size]
        return found


def read_launch() -> dict[str, list[str]]:
    """The file ``launch``: what to run and how."""
    with open("launch", "rb") as file:
        fields = os.fsdecode(file.read()).split("\0")
    launch: dict[str, list[str]] = {}
    for name, value in zip(fields[::2], fields[1::2], strict=False):
        launch.setdefault(name, []).append(value)
    return launch


def detach(script: str) -> None:
    """Leave the agent's session and family, become the parent of all orphans of the run, and start afresh.

    The second start drops the memory that ctypes took.
    """
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    try:
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    except (ImportError, AttributeError, OSError):
        sys.stderr.write("no ctypes: processes that leave the run's family are found by cgroup only\n")
    os.execv(sys.executable, [sys.executable, "-I", "-S", script, sys.argv[1], "keep"])


def take_lock() -> None:
    """Hold ``lock`` until the end, with this process's id; agents take it for moments to look whether it is held."""
    lock = os.open("lock", os.O_RDWR | os.O_CREAT, 0o600)
    for attempt in range(50):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if attempt == 49:
                raise
            time.sleep(0.02)
    os.ftruncate(lock, 0)
    os.write(lock, b"%d" % os.getpid())
