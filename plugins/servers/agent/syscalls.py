"""The system calls that no game needs and that kernels have been broken by: what Docker refuses by default, too.

The filter is made with libseccomp, which every Debian has, and which knows the calls' numbers on every machine,
also those of the 32-bit programs that it runs (SteamCMD is one).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
from functools import cache
from typing import Final

LIBRARY: Final = "libseccomp.so.2"
REMEDY: Final = "install it with: apt-get install libseccomp2"

REFUSED: Final = (
    *("acct", "add_key", "bpf", "clock_adjtime", "clock_settime", "create_module", "delete_module", "fanotify_init"),
    *("finit_module", "fsconfig", "fsmount", "fsopen", "fspick", "get_kernel_syms", "init_module", "io_uring_enter"),
    *("io_uring_register", "io_uring_setup", "ioperm", "iopl", "kexec_file_load", "kexec_load", "keyctl"),
    *("lookup_dcookie", "mount", "mount_setattr", "move_mount", "name_to_handle_at", "nfsservctl"),
    *("open_by_handle_at", "open_tree", "perf_event_open", "pivot_root", "query_module", "quotactl", "quotactl_fd"),
    *("reboot", "request_key", "setns", "settimeofday", "stime", "swapoff", "swapon", "sysfs", "syslog", "umount"),
    *("umount2", "unshare", "uselib", "userfaultfd", "ustat", "vhangup", "vm86", "vm86old", "_sysctl"),
)
NEW_NAMESPACES: Final = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
FAKE_INPUT: Final = (0x5412, 0x541C)
"""The ioctls TIOCSTI and TIOCLINUX: they type into a terminal."""
AF_VSOCK: Final = 40

_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_NOT_EQUAL, _MASKED_EQUAL = 1, 7
_ARCHITECTURES: Final = {"x86_64": (0x40000003, 0x4000003E), "aarch64": (0x40000028,)}
"""The other machines whose programs this one runs, as the kernel numbers them."""


class _Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("mask", ctypes.c_uint64), ("value", ctypes.c_uint64)]


@cache
def compile_filter() -> bytes:
    """The filter as the kernel takes it; ``OSError`` where there is no libseccomp."""
    library = ctypes.CDLL(LIBRARY)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ALLOW)))
    try:
        for architecture in _ARCHITECTURES.get(platform.machine(), ()):
            library.seccomp_arch_add(context, ctypes.c_uint32(architecture))
        _add_rules(library, context)
        return _exported(library, context)
    finally:
        library.seccomp_release(context)


def _add_rules(library: ctypes.CDLL, context: ctypes.c_void_p) -> None:
    def refuse(name: str, code: int, *compare: _Compare) -> None:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number == -1:
            return  # newer than the library, which then doesn't know its number
        conditions = (_Compare * len(compare))(*compare)
        refused = ctypes.c_uint32(_REFUSE | code)
        problem = library.seccomp_rule_add_array(context, refused, number, len(compare), conditions)
        if problem not in (0, -errno.EDOM):  # a call that only another of the machines has
            raise OSError(-problem, f"{name}: {os.strerror(-problem)}")

    for name in REFUSED:
        refuse(name, errno.EPERM)
    for flag in NEW_NAMESPACES:
        refuse("clone", errno.EPERM, _Compare(0, _MASKED_EQUAL, flag, flag))
    # Its flags lie in memory, where no filter can look; libraries then use clone instead.
    refuse("clone3", errno.ENOSYS)
    for request in FAKE_INPUT:
        refuse("ioctl", errno.EPERM, _Compare(1, _MASKED_EQUAL, 0xFFFFFFFF, request))
    refuse("prlimit64", errno.EPERM, _Compare(0, _NOT_EQUAL, 0))
    refuse("socket", errno.EPERM, _Compare(0, _MASKED_EQUAL, 0xFFFFFFFF, AF_VSOCK))


def _exported(library: ctypes.CDLL, context: ctypes.c_void_p) -> bytes:
    memory = os.memfd_create("filter")
    try:
        if problem := library.seccomp_export_bpf(context, memory):
            raise OSError(-problem, os.strerror(-problem))
        return os.pread(memory, os.fstat(memory).st_size, 0)
    finally:
        os.close(memory)
