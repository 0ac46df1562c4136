"""Give up rights for good, then become another program: ``python -I -S confine.py OPTION… -- COMMAND…``.

It runs between a keeper and what that starts, before anything of the server's own. Options: ``read=PATH`` and
``write=PATH`` (with any of them, nothing else is reachable), ``scope`` (no signals and no abstract sockets to
processes outside), ``filter=FILE`` (a system call filter, see syscalls.py) and ``pass=FILE`` (the same file as
descriptor 4, for a command that sets the filter itself). Standard library only, and started afresh every time.
"""

# ruff: noqa: PTH100, PTH118, PTH123, S606
from __future__ import annotations

import ctypes
import os
import platform
import stat
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
KEYCTL = {"x86_64": 250, "aarch64": 219}
JOIN_SESSION_KEYRING = 1
SET_NO_NEW_PRIVS, SET_SECCOMP, SECCOMP_FILTER = 38, 22, 2
VERSION_OF_RULESETS = 1
PATH_BENEATH = 1

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHAR, MAKE_BLOCK, REFER, TRUNCATE = 1 << 6, 1 << 11, 1 << 13, 1 << 14
READ = EXECUTE | READ_FILE | READ_DIR
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
SCOPED = 0b11
"""Abstract sockets and signals."""
FILES_SINCE, TRUNCATE_SINCE, SCOPE_SINCE = 2, 3, 6
"""Versions of Landlock; the first could not rename from one directory to another."""
FILTER_FD = 4
SELF = os.path.abspath(__file__)

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("directory", ctypes.c_int32)]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def landlock_version() -> int:
    """What the kernel's Landlock can do; 0 where there is none."""
    return max(int(_libc.syscall(CREATE_RULESET, None, 0, VERSION_OF_RULESETS)), 0)


def confine(options: list[str]) -> None:
    """Give up what the options say; ``OSError`` where the kernel refuses."""
    pairs = [option.partition("=")[::2] for option in options]
    paths = [(name, path) for name, path in pairs if name in ("read", "write")]
    filters = [_read(path) for name, path in pairs if name == "filter"]
    for name, path in pairs:
        if name == "pass":
            os.dup2(os.open(path, os.O_RDONLY), FILTER_FD)
            os.set_inheritable(FILTER_FD, True)
    _checked(_libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if number := KEYCTL.get(platform.machine()):
        _libc.syscall(number, JOIN_SESSION_KEYRING, None)
    if paths or ("scope", "") in pairs:
        _landlock(paths, scoped=("scope", "") in pairs)
    for instructions in filters:
        _filter(instructions)


def _landlock(paths: list[tuple[str, str]], *, scoped: bool) -> None:
    version = landlock_version()
    handled = ((1 << 13) - 1) | REFER | (TRUNCATE if version >= TRUNCATE_SINCE else 0) if paths else 0
    asked = _Ruleset(handled, 0, SCOPED if scoped else 0)
    size = ctypes.sizeof(asked) if version >= SCOPE_SINCE else 8
    rules = _checked(_libc.syscall(CREATE_RULESET, ctypes.byref(asked), size, 0))
    for kind, path in paths:
        _allow(rules, path, handled & (READ if kind == "read" else ~(MAKE_CHAR | MAKE_BLOCK)))
    _checked(_libc.syscall(RESTRICT_SELF, rules, 0))
    os.close(rules)


def _allow(rules: int, path: str, access: int) -> None:
    try:
        opened = os.open(os.ttyname(0) if path == "tty" else path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # not on this system
    if not stat.S_ISDIR(os.fstat(opened).st_mode):
        access &= ON_FILES
    rule = _Beneath(access, opened)
    _checked(_libc.syscall(ADD_RULE, rules, PATH_BENEATH, ctypes.byref(rule), 0))
    os.close(opened)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _filter(instructions: bytes) -> None:
    program = _Program(len(instructions) // 8, instructions)
    _checked(_libc.prctl(SET_SECCOMP, SECCOMP_FILTER, ctypes.byref(program), 0, 0))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(result)


def _found(name: str) -> str:
    """Where a command is; execvp would load more of Python, which may be out of reach by then."""
    places = [os.path.join(folder, name) for folder in os.environ.get("PATH", "").split(":")]
    return next((place for place in places if os.access(place, os.X_OK)), name)


def main() -> None:
    """Confine this process and become the command."""
    end = sys.argv.index("--")
    command = sys.argv[end + 1 :]
    program = _found(command[0])
    confine(sys.argv[1:end])
    os.environ.pop("LD_LIBRARY_PATH", None)
    os.execv(program, command)


if __name__ == "__main__":
    main()
