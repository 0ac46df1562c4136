"""One server's keeper: it owns the terminal and the log, and goes on when the agent ends.

Run as ``python -I -S keeper.py RUN_DIR``. Standard library only, and as little of that as possible: whatever it
imports is held in memory once per running server. In RUN_DIR it reads ``launch`` (pairs of NUL-terminated names
and values, see launched.py), listens on ``socket``, locks ``lock`` while it lives and at the end
writes ``exit.json``. The first client is the socket that it gets as standard input.

A client sends frames of one letter, four bytes of length (big-endian) and a payload: ``i`` input, ``r`` resize
(columns, rows: two bytes each), ``s`` signal (number in ASCII), ``k`` kill; all but the first client have to show
the ``key`` of ``launch`` before, with ``a``. It gets frames of one letter and eight bytes: ``p`` this process's id,
``o`` the log's new end, ``y``/``n`` input taken or refused (queue full).
"""

# Neither pathlib nor other comforts: they would cost every running server memory.
# ruff: noqa: PTH104, PTH106, PTH108, PTH120, PTH123, S606, UP031
from __future__ import annotations

import _socket
import fcntl
import os
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .keeper_parts import (
        READ_BYTES,
        Client,
        Log,
        detach,
        kill,
        kill_user,
        memory_used,
        processes,
        read_first,
        read_launch,
        take_lock,
        write_existing,
    )
else:  # a script has no package, and ``-I`` takes its directory from the path
    sys.path.append(os.path.dirname(__file__))
    from keeper_parts import (
        READ_BYTES,
        Client,
        Log,
        detach,
        kill,
        kill_user,
        memory_used,
        processes,
        read_first,
        read_launch,
        take_lock,
        write_existing,
    )

SEGMENT_BYTES = 4 * 1024 * 1024
SEGMENTS = 16
PENDING_BYTES = 256 * 1024
NOTIFY_SECONDS = 0.01
REDRAW_SECONDS = 0.25
WATCH_SECONDS = 2.0
REAP_SECONDS = 10.0
END_SECONDS = 10.0
FLOOD_BURST = 32 * 1024 * 1024
FLOOD_RATE = 8 * 1024 * 1024
SHELLS = (b"sh", b"dash", b"bash", b"ash", b"busybox", b"zsh", b"ksh")
TIOCSWINSZ = 0x5414
SIGKILL = 9


class Keeper:
    """The loop around one terminal."""

    def __init__(self, launch: dict[str, list[str]]) -> None:
        self.launch = launch
        segment, count = int(self.one("segment", str(SEGMENT_BYTES))), int(self.one("segments", str(SEGMENTS)))
        self.log = Log(self.one("log"), segment, count)
        self.cgroups = launch.get("cgroup", [])
        self.memory_limit = int(self.one("watch_memory", "0"))
        self.size = (int(self.one("cols", "100")), int(self.one("rows", "30")))
        self.clients: dict[int, Client] = {}
        self.pending = bytearray()
        self.status: int | None = None
        self.oom = self.dirty = False
        now = time.monotonic()
        self.redraw_at = 0.0
        self.told_at = 0.0
        self.reap_at = self.watch_at = now
        self.budget, self.budget_at = float(FLOOD_BURST), now
        self.poll = select.poll()
        self.exit_fd = self.reserve()
        self.listener = self.listen()
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)
        self.set_size(*self.size)
        self.child = self.spawn()
        self.poll.register(self.listener.fileno(), select.POLLIN)

    def one(self, name: str, default: str = "") -> str:
        return self.launch.get(name, [default])[0]

    def listen(self) -> _socket.socket:
        """Bind in the working directory, because the path of a socket may not exceed 108 bytes."""
        if os.path.lexists("socket"):
            os.unlink("socket")
        listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        before = os.umask(0o177)
        listener.bind("socket")
        os.umask(before)
        listener.listen(16)
        listener.setblocking(False)
        return listener

    def spawn(self) -> int:
        uid = self.one("uid")
        if uid:
            os.fchown(self.slave, int(uid), -1)
        child = os.fork()
        if child:
            return child
        try:
            self.become_child()
        except BaseException as error:
            os.write(2, f"[stellar] can't start: {error}\r\n".encode())
        os._exit(127)

    def become_child(self) -> None:
        import resource
        import signal

        environment = os.open("env", os.O_RDONLY)
        for directory in self.cgroups:
            try:
                with open(f"{directory}/cgroup.procs", "w") as file:
                    file.write("0")
            except OSError as error:
                os.write(self.slave, f"[stellar] no limit by {directory}: {error}\r\n".encode())
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if processors := self.one("processors"):
            os.sched_setaffinity(0, [int(number) for number in processors.split(",")])
        if limit := int(self.one("processes", "0")):
            resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
        os.umask(0o022)
        for fd in (0, 1, 2):
            os.dup2(self.slave, fd)
        os.dup2(environment, 3)
        os.chdir(self.one("cwd"))
        arguments = self.launch["arg"]
        env = dict(item.split("=", 1) for item in self.launch.get("env", []))
        os.execvpe(arguments[0], arguments, env)

    def add_client(self, sock: _socket.socket, *, known: bool = False) -> None:
        client = Client(sock, known=known or "key" not in self.launch)
        client.put(b"p", os.getpid())
        client.put(b"o", self.log.end)
        client.told = self.log.end
        self.clients[sock.fileno()] = client
        self.poll.register(sock.fileno(), select.POLLIN)
        self.update_client(client)

    def update_client(self, client: Client) -> None:
        fd = client.sock.fileno()
        if not client.flush():
            self.drop_client(fd)
            return
        self.poll.register(fd, select.POLLIN | (select.POLLOUT if client.outbox else 0))

    def drop_client(self, fd: int) -> None:
        client = self.clients.pop(fd, None)
        if client:
            self.poll.unregister(fd)
            client.sock.close()

    def serve_client(self, fd: int, events: int) -> None:
        client = self.clients.get(fd)
        if client is None:
            return
        frames = client.frames() if events & (select.POLLIN | select.POLLHUP | select.POLLERR) else []
        if frames is None:
            self.drop_client(fd)
            return
        for kind, payload in frames:
            self.obey(client, kind, payload)
        if events & select.POLLOUT and client.flush():
            client.tell(self.log.end)
        self.update_client(client)

    def obey(self, client: Client, kind: bytes, payload: bytes) -> None:
        if kind == b"a":
            client.known = client.known or payload == self.one("key").encode()
        elif not client.known:
            return
        elif kind == b"i":
            taken = len(self.pending) + len(payload) <= PENDING_BYTES
            if taken:
                self.pending += payload
                self.feed()
            client.put(b"y" if taken else b"n", len(self.pending))
        elif kind == b"r" and len(payload) == 4:
            self.resize(int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:], "big"))
        elif kind == b"s" and payload.isdigit():
            self.signal(int(payload))
        elif kind == b"k":
            self.kill_all()

    def feed(self) -> None:
        """Type what waits, as far as the terminal takes it."""
        try:
            while self.pending:
                del self.pending[: os.write(self.master, self.pending[:4096])]
        except OSError:
            return

    def set_size(self, cols: int, rows: int) -> None:
        size = b"".join(number.to_bytes(2, sys.byteorder) for number in (rows, cols, 0, 0))
        fcntl.ioctl(self.master, TIOCSWINSZ, size)

    def resize(self, cols: int, rows: int) -> None:
        """The same size again: one row less for a moment, because programs redraw only when the size changes."""
        same = (cols, rows) == self.size
        self.size = (max(cols, 1), max(rows, 2))
        if same:
            self.redraw_at = time.monotonic() + REDRAW_SECONDS
            self.set_size(self.size[0], self.size[1] - 1)
        else:
            self.redraw_at = 0.0
            self.set_size(*self.size)

    def signal(self, number: int) -> None:
        """Signal the terminal's foreground processes, except shells that only wait for one of them.

        A shell without a trap would die at once and take the game with it before that has saved.
        """
        try:
            group = os.tcgetpgrp(self.master)
        except OSError:
            group = 0
        members = [process for process in processes() if group > 0 and process.group == group]
        parents = {process.parent for process in members if not process.zombie}
        for process in members:
            if process.name not in SHELLS or process.pid not in parents or process.catches(number):
                kill(process.pid, number)
        if not members:
            kill(self.child, number)

    def leftovers(self) -> set[int]:
        """Living processes of this run: its children (orphans come to the keeper) and its cgroups' members."""
        me = os.getpid()
        found = {process.pid for process in processes() if process.parent == me and not process.zombie}
        for directory in self.cgroups:
            found.update(int(pid) for pid in read_first(f"{directory}/cgroup.procs").split())
        return found - {me}

    def kill_all(self) -> None:
        """No new processes first, so that what forks without end can't outrun this."""
        for directory in self.cgroups:
            for name, value in (("pids.max", "0"), ("cgroup.kill", "1")):
                write_existing(f"{directory}/{name}", value)
        if uid := int(self.one("uid", "0")):
            kill_user(uid)
        for pid in self.leftovers():
            kill(pid, SIGKILL)

    def reap(self) -> bool:
        """Collect ended children; whether any is left."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self.child:
                    self.status = status
        except ChildProcessError:
            return False

    def read_terminal(self) -> bool:
        """Move what is there to the log; False when every process has closed the terminal."""
        parts, size, alive = [], 0, True
        while size < READ_BYTES:
            try:
                data = os.read(self.master, READ_BYTES)
            except BlockingIOError:
                break
            except OSError:
                alive = False
                break
            parts.append(data)
            size += len(data)
        if parts:
            self.log.write(b"".join(parts))
            self.budget -= size
            self.dirty = True
        return alive

    def watch_memory(self) -> None:
        """Where no cgroup limits memory: end everything when the run's own pages exceed the limit."""
        family = {os.getpid()}
        everything = sorted(processes(), key=lambda process: process.pid)
        grown = True
        while grown:
            members = {process.pid for process in everything if process.parent in family}
            grown = not members <= family
            family |= members
        if sum(memory_used(pid) for pid in family - {os.getpid()}) > self.memory_limit:
            self.oom = True
            self.kill_all()

    def tick(self, now: float) -> float:
        """Do what is due; seconds until something is."""
        self.budget = min(self.budget + (now - self.budget_at) * FLOOD_RATE, FLOOD_BURST)
        self.budget_at = now
        if self.redraw_at and now >= self.redraw_at:
            self.redraw_at = 0.0
            self.set_size(*self.size)
        if self.dirty and now >= self.told_at + NOTIFY_SECONDS:
            self.dirty, self.told_at = False, now
            for client in list(self.clients.values()):
                client.tell(self.log.end)
                self.update_client(client)
        if now >= self.reap_at:
            self.reap_at = now + REAP_SECONDS
            self.reap()
        if self.memory_limit and now >= self.watch_at:
            self.watch_at = now + WATCH_SECONDS
            self.watch_memory()
        due = [self.reap_at, *([self.watch_at] if self.memory_limit else []), *filter(None, [self.redraw_at])]
        if self.dirty:
            due.append(self.told_at + NOTIFY_SECONDS)
        if self.budget <= 0:
            due.append(now + 0.05)
        return max(min(due) - now, 0.0)

    def run(self) -> None:
        """Until the child has ended."""
        try:
            exited = os.pidfd_open(self.child)
            self.poll.register(exited, select.POLLIN)
        except (AttributeError, OSError):  # an old kernel, or a Python built for one
            exited = -1
        while self.status is None:
            delay = self.tick(time.monotonic())
            wanted = (select.POLLIN if self.budget > 0 else 0) | (select.POLLOUT if self.pending else 0)
            self.poll.register(self.master, wanted)
            for fd, events in self.poll.poll((delay if exited >= 0 else min(delay, 0.2)) * 1000 + 1):
                if fd == self.master:
                    self.feed()
                    self.read_terminal()
                elif fd == self.listener.fileno():
                    self.accept()
                elif fd == exited:
                    self.reap()
                else:
                    self.serve_client(fd, events)
            if exited < 0:
                self.reap()

    def accept(self) -> None:
        try:
            fd, _address = self.listener._accept()  # type: ignore[attr-defined]
        except OSError:
            return
        self.add_client(_socket.socket(fileno=fd))

    def finish(self) -> None:
        """End what is left of the run, write the rest of its output and how it ended."""
        deadline = time.monotonic() + END_SECONDS
        while (self.reap() or self.leftovers()) and time.monotonic() < deadline:
            self.kill_all()
            self.read_terminal()
            time.sleep(0.005)
        os.close(self.slave)
        while self.read_terminal() and time.monotonic() < deadline:
            time.sleep(0.001)
        status = self.status or 0
        code = os.waitstatus_to_exitcode(status)
        oom = self.oom or (code != 0 and any(self.oom_kills(directory) for directory in self.cgroups))
        for directory in self.cgroups:
            try:
                os.rmdir(directory)
            except OSError:
                continue
        self.record(code, oom)

    def reserve(self) -> int:
        """Take the space for exit.json now: the disk may be full when it is needed."""
        fd = os.open("exit.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(fd, b" " * 128)
        return fd

    def record(self, code: int, oom: bool) -> None:
        values = (code if code >= 0 else "null", -code if code < 0 else "null", "true" if oom else "false", time.time())
        text = '{"code": %s, "signal": %s, "oom": %s, "at": %.3f}\n' % values
        os.pwrite(self.exit_fd, text.encode(), 0)
        os.ftruncate(self.exit_fd, len(text))
        try:
            os.rename("exit.tmp", "exit.json")
            os.unlink("socket")
        except FileNotFoundError:
            return  # the server has been deleted meanwhile

    def oom_kills(self, directory: str) -> int:
        for name in ("memory.oom_control", "memory.events"):
            for line in read_first(f"{directory}/{name}").splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill":
                    return int(value)
        return 0


def main() -> None:
    if len(sys.argv) == 2:
        detach(__file__)
    os.chdir(sys.argv[1])
    take_lock()
    first = os.dup(0)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    keeper = Keeper(read_launch())
    keeper.add_client(_socket.socket(fileno=first), known=True)
    keeper.run()
    keeper.finish()


if __name__ == "__main__":
    main()
