"""What a server's processes may see and do on this host: bubblewrap and an own user, where they work.

Only trusted programs with a fixed environment run before the privileges are dropped; the server's own variables
are set after that, by its shell, from a file that the keeper opens as descriptor 3.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import confine, confinement
from .confinement import NOTHING, Confinement
from .layout import TRIAL
from .probe import SEARCH_PATH
from .runtime import Launch
from .visible import SYSTEM, etc

HOME = "/home/container"
FIRST_UID = 0x70000000
UIDS = 0x0FFFFFF0
"""A range that neither systemd nor subordinate ids use."""
TEMPORARY_BYTES = 1024 * 1024 * 1024
TEMPORARY = "tmp"
"""Beside a server's data."""
DEEPEST = 200

SHELL = '. /dev/fd/3; exec 3<&-; exec /bin/sh -c "$1"'
DROP = ("--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")

DIRECTORIES = ("/etc", "/etc/default", "/home", "/run", "/var", "/sys", "/sys/devices", "/sys/devices/system")

INSTALL_ENV = (
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "all_proxy",
    "node_extra_ca_certs",
    "ssl_cert_file",
    "ssl_cert_dir",
    "curl_ca_bundle",
    "requests_ca_bundle",
    "git_ssl_cainfo",
    "pip_cert",
    "pip_index_url",
    "pip_extra_index_url",
    "pip_find_links",
)
NPMRC = "/etc/npm-user.conf"
HIDDEN = ("kcore", "keys", "latency_stats", "sched_debug", "timer_list")
"""Of /proc: what tells of the whole host."""
UNCONFINED = "The bubblewrap of this system can't be confined itself; the one of Debian can."


@dataclass(frozen=True)
class Abilities:
    """What works here, found by trying; ``reasons`` says why something doesn't."""

    bwrap: bool
    own_uid: bool
    setpriv: bool
    confinement: Confinement = NOTHING
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Wrapped:
    """How to run a launch: the full command line, its directory and the user that the terminal belongs to."""

    argv: list[str]
    cwd: Path
    home: str
    uid: int | None
    sandboxed: bool


def server_uid(server_id: str) -> int:
    """The user id of a server: always the same, and its own."""
    return FIRST_UID + int.from_bytes(hashlib.sha256(server_id.encode()).digest()[:8], "big") % UIDS


def examine(place: Path, *, allowed: bool = True) -> Abilities:
    """Try a sandbox, and an own user, on a directory made in ``place``."""
    reasons: dict[str, str] = {}
    setpriv = shutil.which("setpriv", path=SEARCH_PATH) is not None
    uid = server_uid("probe") if os.geteuid() == 0 else None
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix=TRIAL) as name:
        Path(name).chmod(0o711)
        (run := Path(name, "run")).mkdir()
        (data := Path(name, "data")).mkdir()
        found = confinement.find(base_env("/"), run / "filter")
        abilities = Abilities(bwrap=False, own_uid=False, setpriv=setpriv, confinement=found)
        if allowed:
            abilities = _with_bwrap(abilities, data, run, reasons)
        else:
            reasons["sandbox"] = "The sandbox is switched off in the configuration."
        if uid is not None and setpriv and _try_uid(abilities, data, run, uid, reasons):
            abilities = replace(abilities, own_uid=True)
    if uid is None:
        reasons["own_uid"] = "The agent doesn't run as root, so every server runs as the agent's user."
    elif not setpriv:
        reasons["own_uid"] = "The command setpriv is missing; install it with: apt-get install util-linux"
    return replace(abilities, reasons={**found.reasons, **reasons})


def wrap(abilities: Abilities, launch: Launch, data: Path, run: Path) -> Wrapped:
    """The command line for a launch, in the best protection that works; writes what that needs to ``run``."""
    uid = server_uid(launch.server_id) if abilities.own_uid else None
    home = HOME if abilities.bwrap else str(data)
    npmrc = _write_npmrc(run, uid) if launch.kind == "install" else None
    temporary = {"TMPDIR": str(data.parent / TEMPORARY)} if needs_temporary(abilities) else {}
    env = {**base_env(home), **temporary, **(_install_env() if launch.kind == "install" else {}), **launch.env}
    if npmrc:
        env["npm_config_userconfig"] = NPMRC if abilities.bwrap else str(npmrc)
    _write_private(run / "env", _exports(env), uid)
    argv = ["setsid", "-c", *_drop(abilities, uid), "/bin/sh", "-c", SHELL, "sh", launch.command]
    if not abilities.bwrap:
        return Wrapped([*_confined(abilities, data, run), *argv], data, home, uid, sandboxed=False)
    binds = ["--ro-bind", str(npmrc), NPMRC] if npmrc else []
    sandbox = [*_confined(abilities, data, run), *_bwrap(abilities, data, _identity(run, uid), binds)]
    return Wrapped([*sandbox, "--", *argv], Path("/"), home, uid, sandboxed=True)


def needs_temporary(abilities: Abilities) -> bool:
    """Whether a server needs a directory for temporary files, because it may not see those of all the others."""
    return not abilities.bwrap and not abilities.own_uid and abilities.confinement.files


def base_env(home: str) -> dict[str, str]:
    """The environment that every server starts from."""
    return {"PATH": SEARCH_PATH, "HOME": home, "TERM": "xterm-256color", "LANG": "C.UTF-8", "USER": "container"}


def give(directory: Path, uid: int) -> None:
    """Make everything below ``directory`` belong to ``uid``, never following a link."""
    os.chown(directory, uid, uid, follow_symlinks=False)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    stack = [(fd := os.open(directory, flags), os.scandir(fd))]
    try:
        while stack:
            fd, entries = stack[-1]
            entry = next(entries, None)
            if entry is None:
                entries.close()
                os.close(fd)
                stack.pop()
                continue
            if entry.stat(follow_symlinks=False).st_uid != uid:
                os.chown(entry.name, uid, uid, dir_fd=fd, follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False) and len(stack) < DEEPEST:
                with contextlib.suppress(OSError):
                    below = os.open(entry.name, flags, dir_fd=fd)
                    stack.append((below, os.scandir(below)))
    finally:
        for fd, _entries in stack:
            os.close(fd)


def _drop(abilities: Abilities, uid: int | None) -> list[str]:
    if not abilities.setpriv:
        return []
    end_with_keeper = [] if abilities.bwrap else ["--pdeathsig", "KILL"]
    if uid is None:
        return ["setpriv", "--no-new-privs", *end_with_keeper]
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", *DROP, *end_with_keeper]


def _confined(abilities: Abilities, data: Path, run: Path) -> list[str]:
    """What comes before everything else; see confine.py."""
    own = [data, data.parent / TEMPORARY] if needs_temporary(abilities) else [data, *confinement.SHARED]
    paths = [*(f"write={path}" for path in own), f"read={run / 'env'}", f"read={run / 'npmrc'}"]
    return abilities.confinement.command(run / "filter", sandboxed=abilities.bwrap, paths=paths)


def _bwrap(abilities: Abilities, data: Path, identity: list[str], more: list[str]) -> list[str]:
    argv = ["bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--die-with-parent"]
    if abilities.confinement.filter is not None:
        argv += ["--seccomp", str(confine.FILTER_FD)]
    if os.geteuid() == 0 and not abilities.own_uid:
        argv += ["--cap-drop", "ALL"]
    for path in DIRECTORIES:  # bubblewrap makes parents that it isn't told about for root alone
        argv += ["--perms", "0755", "--dir", path]
    argv += ["--ro-bind", "/usr", "/usr"]
    for name in SYSTEM:
        folder = Path("/", name)
        if folder.is_symlink():
            argv += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            argv += ["--ro-bind", str(folder), str(folder)]
    for name in etc():
        argv += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    argv += ["--proc", "/proc", "--dev", "/dev"]
    for name in HIDDEN:
        argv += ["--ro-bind", "/dev/null", f"/proc/{name}"] if Path("/proc", name).exists() else []
    for path in ("/dev/shm", "/tmp"):  # noqa: S108 (all of these are the sandbox's own)
        argv += ["--perms", "1777", "--size", str(TEMPORARY_BYTES), "--tmpfs", path]
    argv += ["--symlink", "/tmp", "/var/tmp", "--symlink", "/run", "/var/run"]  # noqa: S108
    argv += ["--ro-bind-try", "/sys/devices/system/cpu", "/sys/devices/system/cpu"]
    argv += [*identity, *more, "--bind", str(data), HOME, "--remount-ro", "/", "--chdir", HOME]
    return argv


def _identity(run: Path, uid: int | None) -> list[str]:
    write_identity(run, uid)
    argv = []
    for name in ("passwd", "group"):
        argv += ["--ro-bind", str(run / name), f"/etc/{name}"]
    return argv


def write_identity(run: Path, uid: int | None) -> None:
    """Names for the ids inside, because many programs fail for a user without one: ``passwd`` and ``group``."""
    number, group = (uid, uid) if uid is not None else (os.geteuid(), os.getegid())
    users = f"root:x:0:0:root:/root:/bin/sh\ncontainer:x:{number}:{group}::{HOME}:/bin/sh\n"
    groups = f"root:x:0:\ncontainer:x:{group}:\n"
    others = "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
    (run / "passwd").write_text(users + others)
    (run / "group").write_text(groups + "nogroup:x:65534:\n")
    for name in ("passwd", "group"):
        (run / name).chmod(0o644)


def _install_env() -> dict[str, str]:
    """How the operator reaches package registries, for install scripts only."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.lower() in INSTALL_ENV or name.lower().startswith("npm_config_")
    }


def _write_npmrc(run: Path, uid: int | None) -> Path | None:
    """A copy of the agent user's npm settings that the server's user may read; None without any."""
    target = run / "npmrc"
    try:
        content = (Path.home() / ".npmrc").read_bytes()
    except (OSError, RuntimeError):
        target.unlink(missing_ok=True)
        return None
    _write_private(target, content, uid)
    return target


def _write_private(path: Path, content: bytes, uid: int | None) -> None:
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(fd, "wb") as file:
        if uid is not None:
            os.fchown(file.fileno(), uid, uid)
        file.write(content)


def _exports(env: dict[str, str]) -> bytes:
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in env.items() if _is_name(name)]
    return os.fsencode("".join(lines).replace("\0", ""))


def _is_name(name: str) -> bool:
    return name.isascii() and name.isidentifier()


def _with_bwrap(abilities: Abilities, data: Path, run: Path, reasons: dict[str, str]) -> Abilities:
    """The same with bubblewrap, if that works; a set-uid one, as some systems have, can't be confined itself."""
    if shutil.which("bwrap", path=SEARCH_PATH) is None:
        reasons["sandbox"] = "Bubblewrap is missing; install it with: apt-get install bubblewrap"
        return abilities
    problem = ""
    for candidate in (replace(abilities, bwrap=True), replace(abilities, bwrap=True, confinement=NOTHING)):
        command = [*_confined(candidate, data, run), *_bwrap(candidate, data, [], []), "--"]
        problem = _run([*command, "/bin/sh", "-c", "test -w . && test $$ -lt 10"])
        if not problem:
            if candidate.confinement is NOTHING:
                reasons.update(dict.fromkeys(("sockets", "syscalls"), UNCONFINED))
            return candidate
    reasons["sandbox"] = f"Bubblewrap doesn't work here ({problem}); allow user namespaces or run the agent as root."
    return abilities


def _try_uid(abilities: Abilities, data: Path, run: Path, uid: int, reasons: dict[str, str]) -> bool:
    try:
        os.chown(data, uid, uid)
    except OSError as error:
        reasons["own_uid"] = f"Files can't be given to other users here ({error.strerror})."
        return False
    wanted = replace(abilities, own_uid=True)
    where = HOME if wanted.bwrap else str(data)
    command = [*_confined(wanted, data, run), *([*_bwrap(wanted, data, [], []), "--"] if wanted.bwrap else [])]
    problem = _run([*command, *_drop(wanted, uid), "/bin/sh", "-c", 'cd "$1" && test -w .', "sh", where])
    if problem:
        reach = "" if wanted.bwrap else f"; without a sandbox, other users must be able to reach {data.parent.parent}"
        reasons["own_uid"] = f"A server can't run as its own user here ({problem}{reach})."
    return not problem


def _run(argv: list[str]) -> str:
    """Why a command failed; empty when it didn't."""
    try:
        env = base_env("/") | confinement.library_path()
        done = subprocess.run(argv, env=env, cwd="/", capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else (lines[-1] if lines else f"exit code {done.returncode}")
