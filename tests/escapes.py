"""Run inside a server: tries to get out in every way that is known here, and prints each that works.

Harmless also where something works. Standard library only; ``python escapes.py TARGETS``. What is refused prints
nothing; the last line is ``end``.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import mmap
import os
import platform
import resource
import signal
import socket
import stat
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)
TARGETS: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
NEW_USER, NEW_MOUNTS = 0x10000000, 0x00020000
PTRACE_SEIZE = 0x4206
"""Doesn't stop what it traces, and ends with the tracer."""
KEYCTL, ADD_KEY = {"x86_64": (250, 248), "aarch64": (219, 217)}[platform.machine()]
SESSION = -3
UNSHARE_OF_I386 = 310


def escaped(how: str) -> None:
    print("ESCAPED", how, flush=True)


def check(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")


def reading() -> Iterator[tuple[str, Callable[[], object]]]:
    for file in TARGETS["files"]:
        yield f"files: reads {file}", Path(file).read_bytes
        for pid in TARGETS["pids"]:
            yield f"files: reads {file} by the root of {pid}", Path(f"/proc/{pid}/root{file}").read_bytes
    for pid in TARGETS["pids"]:
        for what in ("environ", "maps", "auxv"):
            yield f"processes: reads {what} of {pid}", lambda pid=pid, what=what: theirs(pid, what)
        for what in ("cwd", "fd", "root"):
            yield f"processes: lists {what} of {pid}", lambda pid=pid, what=what: look_into(pid, what)
    yield "files: lists the servers", lambda: list(Path(TARGETS["root"], "servers").iterdir())
    yield "files: reads the kernel's memory", lambda: os.read(os.open("/proc/kcore", os.O_RDONLY), 1) or refuse()
    yield "files: reads passwords", Path("/etc/shadow").read_bytes


def look_into(pid: int, what: str) -> None:
    """The numbers of descriptors alone tell nothing."""
    seen = [path.readlink() if what == "fd" else path for path in Path(f"/proc/{pid}/{what}/").iterdir()]
    if not seen:
        refuse()


def theirs(pid: int, what: str) -> None:
    """Read of another process; in the sandbox that number may be one of our own."""
    if pid_is_ours(pid) or not Path(f"/proc/{pid}/{what}").read_bytes():
        refuse()


def pid_is_ours(pid: int) -> bool:
    family, one = set(), os.getpid()
    while one > 0:
        family.add(one)
        one = int(Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[1])
    return pid in family and Path("/proc/1/comm").read_text().strip() == "bwrap"


def refuse() -> None:
    raise PermissionError


def touching() -> Iterator[tuple[str, Callable[[], object]]]:
    for pid in TARGETS["pids"]:
        yield f"processes: signals {pid}", lambda pid=pid: os.kill(pid, 0) if not pid_is_ours(pid) else refuse()
        yield f"processes: traces {pid}", lambda pid=pid: trace(pid)
    core = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    yield "processes: limits the keeper", lambda: resource.prlimit(TARGETS["pids"][1], resource.RLIMIT_CORE, core)
    yield "own_uid: changes the keeper's priority", lambda: os.setpriority(os.PRIO_PROCESS, TARGETS["pids"][1], 19)
    yield "sockets: connects to another program's abstract socket", lambda: dial("\0" + TARGETS["abstract"])
    yield "own_uid: connects to another server's keeper", lambda: dial(TARGETS["keeper"], b"k\0\0\0\0")
    for path in ("/run/docker.sock", "/run/dbus/system_bus_socket"):
        yield f"sandbox: connects to {path}", lambda path=path: dial(path)
    yield "processes: opens another server's terminal", lambda: os.open(TARGETS["terminal"], os.O_RDWR | os.O_NOCTTY)
    yield "syscalls: types into its terminal", lambda: fake_input(os.open("/dev/tty", os.O_RDWR))


def trace(pid: int) -> None:
    if pid_is_ours(pid):
        refuse()
    check(libc.ptrace(PTRACE_SEIZE, pid, None, None))


def dial(address: str, data: bytes = b"") -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(address)
        sock.send(data)


def fake_input(terminal: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSTI, b"x")


def rising() -> Iterator[tuple[str, Callable[[], object]]]:
    yield "any: becomes root", lambda: os.setuid(0) if os.getuid() else refuse()
    yield "any: joins a group", lambda: os.setgroups([0])
    yield "any: makes a device", lambda: os.mknod("device", stat.S_IFBLK | 0o600, os.makedev(7, 0))
    yield "any: mounts", lambda: check(libc.mount(b"none", b".", b"tmpfs", 0, None))
    yield "any: loads a kernel module", lambda: check(libc.init_module(None, 0, b""))
    yield "syscalls: makes a user namespace", lambda: in_child(lambda: check(libc.unshare(NEW_USER)))
    yield "syscalls: makes a mount namespace", lambda: in_child(lambda: check(libc.unshare(NEW_USER | NEW_MOUNTS)))
    yield "syscalls: clones into a namespace", clone
    yield "syscalls: makes a user namespace by a 32-bit call", lambda: in_child(unshare_as_i386)
    yield "syscalls: reads its session's keys", lambda: check(libc.syscall(KEYCTL, 0, SESSION, 0))
    yield "syscalls: adds a key", lambda: check(libc.syscall(ADD_KEY, b"user", b"mine", b"x", 1, SESSION))
    for path in ("/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/kvm", "/dev/fuse"):
        yield f"files: opens {path}", lambda path=path: os.open(path, os.O_RDONLY)
    for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/overcommit_memory"):
        yield f"any: writes {path}", lambda path=path: os.open(path, os.O_WRONLY)
    for folder in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids", "/sys/fs/cgroup"):
        yield f"any: leaves its control group by {folder}", lambda folder=folder: leave(folder)
    for path in ("/usr/bin/mine", "/etc/mine", "/lib/mine", f"{TARGETS['root']}/mine", "/var/lib/mine"):
        yield f"any: writes {path}", lambda path=path: os.open(path, os.O_WRONLY | os.O_CREAT)


def in_child(work: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(OSError):
            work()
            code = 0
        os._exit(code)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        refuse()


def clone() -> None:
    """Without glibc, which hides the call."""
    child = libc.syscall(56 if platform.machine() == "x86_64" else 220, NEW_USER | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    check(child)


def unshare_as_i386() -> None:
    if platform.machine() != "x86_64":
        refuse()
    code = b"\x53\xb8" + UNSHARE_OF_I386.to_bytes(4, "little") + b"\xbb" + NEW_USER.to_bytes(4, "little")
    code += b"\xcd\x80\x5b\xc3"
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    if function() != 0:
        refuse()


def leave(folder: str) -> None:
    with Path(folder, "cgroup.procs").open("w") as file:
        file.write(str(os.getpid()))


for how, work in (*reading(), *touching(), *rising()):
    try:
        work()
    except (OSError, ValueError, AttributeError):
        continue
    escaped(how)
print("end")
