"""Limits on a server's processes through control groups, version 2 or 1, where this agent may make them.

Groups are made below the agent's own (or, in version 2, below the nearest ancestor that can have them), so that
whatever bounds the agent also bounds its servers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..spec import Limits
from . import disks

PARENT = "stellar"
PROCESSES = 1024
"""Processes and threads that one server may have."""
CPU_PERIOD = 100_000
MEGABYTE = 1024 * 1024
CONTROLLERS = ("memory", "cpu", "pids", "cpuset", "io")
FORMER_NAMES = {"blkio": "io"}
"""What version 1 calls a controller, where that differs."""
REMEDY = "run the agent as root, or as a systemd service with Delegate=yes"


@dataclass(frozen=True)
class Place:
    """Where groups for some controllers can be made."""

    version: int
    directory: Path
    controllers: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What this host lets the agent do: the places, and why a controller is missing."""

    places: list[Place]
    reasons: dict[str, str]

    @property
    def active(self) -> set[str]:
        """The controllers that work."""
        return {controller for place in self.places for controller in place.controllers} - self.reasons.keys()


def settings(version: int, controller: str, limits: Limits) -> list[tuple[str, str]]:
    """The files to write in a group, in order, for one controller's limit; none where it is unlimited."""
    if controller == "pids":
        return [("pids.max", str(limits.pids or PROCESSES))]
    if controller == "cpu":
        return _cpu(version, limits.cpu_percent * CPU_PERIOD // 100)
    if controller == "cpuset":
        return [("cpuset.cpus", limits.cpu_set)] if limits.cpu_set else []
    if controller == "io":
        return _io(limits.io_weight)
    return _memory(version, limits)


def _cpu(version: int, quota: int) -> list[tuple[str, str]]:
    if not quota:
        return []
    if version == 2:
        return [("cpu.max", f"{quota} {CPU_PERIOD}")]
    return [("cpu.cfs_period_us", str(CPU_PERIOD)), ("cpu.cfs_quota_us", str(quota))]


def _memory(version: int, limits: Limits) -> list[tuple[str, str]]:
    memory = limits.memory_mb * MEGABYTE
    if not memory:
        return []
    if version == 2:
        swap = "max" if limits.swap_mb < 0 else str(limits.swap_mb * MEGABYTE)
        return [("memory.max", str(memory)), ("memory.swap.max", swap), ("memory.oom.group", "1")]
    total = "-1" if limits.swap_mb < 0 else str(memory + limits.swap_mb * MEGABYTE)
    wait = [] if limits.oom_kill else [("memory.oom_control", "1")]
    return [("memory.limit_in_bytes", str(memory)), ("memory.memsw.limit_in_bytes", total), *wait]


def _io(weight: int) -> list[tuple[str, str]]:
    """Whichever of these files there is; the last one's range is 1 to 10000."""
    files = [(name, str(weight)) for name in ("blkio.bfq.weight", "blkio.weight", "io.bfq.weight")]
    return [*files, ("io.weight", str(1 + (weight - 10) * 9999 // 990))]


OPTIONAL = ("memory.swap.max", "memory.oom.group", "memory.memsw.limit_in_bytes", *dict(_io(0)))


def find(disk: Path | None = None) -> Found:
    """Find out by making a group, setting a limit of each kind and moving a process into it.

    ``disk`` is where the servers' files are, to see whether that device heeds weights.
    """
    places: list[Place] = []
    reasons: dict[str, str] = {}
    for place in _candidates():
        missing = [name for name in place.controllers if not any(name in other.controllers for other in places)]
        works = []
        for controller in missing:
            reason = _try(Place(place.version, place.directory, (controller,)))
            if reason:
                reasons[controller] = reason
            else:
                works.append(controller)
                reasons.pop(controller, None)
        if works:
            places.append(Place(place.version, place.directory, tuple(works)))
    for controller in CONTROLLERS:
        if not any(controller in place.controllers for place in places):
            reasons.setdefault(controller, f"The cgroup controller {controller} isn't available here; {REMEDY}.")
    if "io" not in reasons and (problem := disks.why_no_weights(disk or Path("/"))):
        reasons["io"] = problem
    return Found(places, reasons)


def create(found: Found, name: str, limits: Limits) -> list[Path]:
    """Make a group of this name wherever one works; the directories to join. ``OSError`` says which limit failed."""
    made = []
    for place in found.places:
        directory = _make(place, name)
        made.append(directory)
        for controller in place.controllers:
            for file, value in settings(place.version, controller, limits):
                try:
                    _write(directory / file, value, optional=file in OPTIONAL)
                except OSError as error:
                    for path in made:
                        remove(path)
                    raise OSError(error.errno, f"{file} can't be {value} here ({error.strerror})") from error
    return made


def change(directories: list[Path], limits: Limits) -> None:
    """Set other limits on groups in use; less memory than is in use would end the game, so that waits for a restart."""
    memory = limits.memory_mb * MEGABYTE
    fits = not memory or (memory_used(directories) or 0) < memory
    for directory in directories:
        for file, value in _changes(directory, limits):
            if (directory / file).exists() and (fits or not file.startswith("memory.")):
                _write(directory / file, value, optional=True)


def _changes(directory: Path, limits: Limits) -> list[tuple[str, str]]:
    """What to write where such a file is, unlike ``settings`` also to lift a limit.

    The kernel refuses a ``memory.limit_in_bytes`` above ``memsw``: whether it grows or shrinks, one of both goes in.
    """
    quota = limits.cpu_percent * CPU_PERIOD // 100
    unlimited = [
        ("cpu.max", f"{quota or 'max'} {CPU_PERIOD}"),
        ("cpu.cfs_quota_us", str(quota or -1)),
        ("memory.max", "max"),
        ("memory.swap.max", "max"),
        ("memory.memsw.limit_in_bytes", "-1"),
        ("memory.limit_in_bytes", "-1"),
        ("memory.oom_control", "0"),
    ]
    memory = [pair for version in (2, 1) for pair in _memory(version, limits)]
    wanted = [pair for pair in unlimited if not limits.memory_mb or not pair[0].startswith("memory.")]
    first = [pair for pair in memory if pair[0] == "memory.limit_in_bytes"]
    waiting = [("memory.oom_control", "0" if limits.oom_kill else "1")] if memory else []
    processors = limits.cpu_set or _read(directory.parent / "cpuset.cpus").strip()
    return [
        *wanted,
        *first,
        *memory,
        *first,
        *waiting,
        ("pids.max", str(limits.pids or PROCESSES)),
        ("cpuset.cpus", f"{processors}\n"),
        *_io(limits.io_weight),
    ]


def members(directory: Path) -> list[int]:
    """The processes in a group; none when it is gone."""
    try:
        return [int(line) for line in (directory / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def remove(directory: Path) -> None:
    """Remove an empty group, and the common parent with the last one."""
    for path in (directory, directory.parent):
        with contextlib.suppress(OSError):
            path.rmdir()


def memory_used(directories: list[Path]) -> int | None:
    """Bytes in use without the file cache that could be given back; None where no group counts memory."""
    for directory in directories:
        for usage, cache in (("memory.current", "inactive_file"), ("memory.usage_in_bytes", "total_inactive_file")):
            with contextlib.suppress(OSError, ValueError):
                used = int((directory / usage).read_text())
                stat = dict(line.split() for line in (directory / "memory.stat").read_text().splitlines())
                return max(used - int(stat.get(cache, 0)), 0)
    return None


def _candidates() -> list[Place]:
    """Version 1 hierarchies at the agent's own group; version 2 from the agent's own group up to the root."""
    own = _own_groups()
    places = []
    for mount_root, mount, kind, options in _mounts():
        if kind == "cgroup":
            names = [name for name in options if FORMER_NAMES.get(name, name) in CONTROLLERS]
            if names:
                controllers = tuple(FORMER_NAMES.get(name, name) for name in sorted(names))
                places.append(Place(1, _below(mount, mount_root, own.get(names[0], "/")), controllers))
            continue
        directory = _below(mount, mount_root, own.get("", "/"))
        while True:
            controllers = _controllers(directory)
            if controllers:
                places.append(Place(2, directory, controllers))
            if directory == mount:
                break
            directory = directory.parent
    return places


def _own_groups() -> dict[str, str]:
    """The agent's own group by controller; version 2 has the empty name."""
    own = {}
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _number, names, path = line.split(":", 2)
        for name in names.split(","):
            own[name] = path
    return own


def _mounts() -> list[tuple[str, Path, str, set[str]]]:
    found = []
    for line in _read(Path("/proc/self/mountinfo")).splitlines():
        before, _, after = line.partition(" - ")
        kind, _source, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            fields = before.split()
            found.append((fields[3], Path(fields[4]), kind, set(options.split(","))))
    return found


def _below(mount: Path, mount_root: str, group: str) -> Path:
    """A group's directory: in a container the mount may show only a part of the tree."""
    inside = os.path.relpath(group, mount_root)
    return mount if inside.startswith("..") or not (mount / inside).is_dir() else mount / inside


def _controllers(directory: Path) -> tuple[str, ...]:
    offered = _read(directory / "cgroup.controllers").split()
    return tuple(name for name in CONTROLLERS if name in offered)


def _make(place: Place, name: str) -> Path:
    """A group below the common parent; in version 2 with the controllers handed down to that and by it."""
    parent = place.directory / PARENT
    for last in (False, False, False, True):
        try:
            if place.version == 2:
                _hand_down(place.directory, place.controllers)
            parent.mkdir(exist_ok=True)
            if place.version == 2:
                _hand_down(parent, place.controllers)
            (parent / name).mkdir(exist_ok=True)
            if place.version == 1 and "cpuset" in place.controllers:
                _inherit_processors(place.directory, parent, parent / name)
            break
        except FileNotFoundError:  # somebody else has just removed the empty parent
            if last:
                raise
    return parent / name


def _inherit_processors(*downwards: Path) -> None:
    """In version 1 a new group has no processors, and takes no process until it has some."""
    for above, below in pairwise(downwards):
        for file in ("cpuset.cpus", "cpuset.mems"):
            if not _read(below / file).strip():
                (below / file).write_text(_read(above / file))


def _hand_down(directory: Path, controllers: tuple[str, ...]) -> None:
    file = directory / "cgroup.subtree_control"
    wanted = [name for name in controllers if name not in _read(file).split()]
    if not wanted:
        return
    text = " ".join(f"+{name}" for name in wanted)
    try:
        file.write_text(text)
    except OSError as error:
        if error.errno != errno.EBUSY or not _delegated(directory):
            raise
        _move_out(directory)
        file.write_text(text)


def _delegated(directory: Path) -> bool:
    """Whether systemd gave this group to us (Delegate=yes)."""
    for name in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            return os.getxattr(directory, name) == b"1"
    return False


def _move_out(directory: Path) -> None:
    """Version 2 wants groups that hand controllers down to have no processes of their own."""
    leaf = directory / "main"
    leaf.mkdir(exist_ok=True)
    for pid in members(directory):
        (leaf / "cgroup.procs").write_text(str(pid))


def _try(place: Place) -> str:
    """Why the place doesn't work; empty when it does."""
    directory = place.directory / PARENT / f"try-{secrets.token_hex(8)}"
    try:
        _make(place, directory.name)
        wanted = settings(place.version, place.controllers[0], Limits(memory_mb=64, cpu_percent=50))
        for file, value in wanted:
            _write(directory / file, value, optional=file in OPTIONAL)
        if wanted and not any((directory / file).exists() for file, _value in wanted):
            return f"This kernel's control groups have no file {wanted[0][0]}."
        join = ["/bin/sh", "-c", 'echo 0 > "$1/cgroup.procs"', "sh", str(directory)]
        done = subprocess.run(join, capture_output=True, text=True, timeout=10, check=False)
        if done.returncode == 0:
            return ""
        problem = "no process can be moved into a group"
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = getattr(error, "strerror", None) or str(error)
    finally:
        remove(directory)
    return f"No cgroup can be made below {place.directory} ({problem}); {REMEDY}."


def offers(found: Found, *files: str) -> bool:
    """Whether groups of the memory controller have a file of one of these names."""
    for place in found.places:
        if "memory" not in place.controllers:
            continue
        directory = _make(place, f"try-{secrets.token_hex(8)}")
        exists = any((directory / file).exists() for file in files)
        remove(directory)
        return exists
    return False


def _write(file: Path, value: str, *, optional: bool) -> None:
    try:
        file.write_text(value)
    except OSError:
        if not optional:
            raise


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
