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
from pathlib import Path

from ..spec import Limits

PARENT = "stellar"
PROCESSES = 1024
"""Processes and threads that one server may have."""
CPU_PERIOD = 100_000
MEGABYTE = 1024 * 1024
CONTROLLERS = ("memory", "cpu", "pids")
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
        return {controller for place in self.places for controller in place.controllers}


def settings(version: int, controller: str, limits: Limits) -> list[tuple[str, str]]:
    """The files to write in a group, in order, for one controller's limit; none where it is unlimited."""
    quota = limits.cpu_percent * CPU_PERIOD // 100
    memory = str(limits.memory_mb * MEGABYTE)
    if controller == "pids":
        return [("pids.max", str(PROCESSES))]
    if controller == "cpu" and quota:
        if version == 2:
            return [("cpu.max", f"{quota} {CPU_PERIOD}")]
        return [("cpu.cfs_period_us", str(CPU_PERIOD)), ("cpu.cfs_quota_us", str(quota))]
    if controller == "memory" and limits.memory_mb:
        if version == 2:
            return [("memory.max", memory), ("memory.swap.max", "0"), ("memory.oom.group", "1")]
        return [("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory)]
    return []


OPTIONAL = ("memory.swap.max", "memory.oom.group", "memory.memsw.limit_in_bytes")


def find() -> Found:
    """Find out by making a group, setting a limit of each kind and moving a process into it."""
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
    return Found(places, reasons)


def create(found: Found, name: str, limits: Limits) -> list[Path]:
    """Make a group of this name wherever one works; the directories to join."""
    made = []
    for place in found.places:
        directory = _make(place, name)
        for controller in place.controllers:
            for file, value in settings(place.version, controller, limits):
                _write(directory / file, value, optional=file in OPTIONAL)
        made.append(directory)
    return made


def change(directories: list[Path], limits: Limits) -> None:
    """Set other limits on groups in use; less memory than is in use would end the game, so that waits for a restart."""
    memory = limits.memory_mb * MEGABYTE
    fits = not memory or (memory_used(directories) or 0) < memory
    for directory in directories:
        for file, value in _changes(limits):
            if (directory / file).exists() and (fits or not file.startswith("memory.")):
                _write(directory / file, value, optional=True)


def _changes(limits: Limits) -> list[tuple[str, str]]:
    """What to write where such a file is, unlike ``settings`` also to lift a limit.

    The kernel refuses a ``memory.limit_in_bytes`` above ``memsw``: whether it grows or shrinks, one of both goes in.
    """
    quota = limits.cpu_percent * CPU_PERIOD // 100
    memory = limits.memory_mb * MEGABYTE
    return [
        ("cpu.max", f"{quota or 'max'} {CPU_PERIOD}"),
        ("cpu.cfs_quota_us", str(quota or -1)),
        ("memory.max", str(memory or "max")),
        ("memory.swap.max", "0" if memory else "max"),
        ("memory.limit_in_bytes", str(memory or -1)),
        ("memory.memsw.limit_in_bytes", str(memory or -1)),
        ("memory.limit_in_bytes", str(memory or -1)),
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
            controllers = tuple(name for name in CONTROLLERS if name in options)
            if controllers:
                places.append(Place(1, _below(mount, mount_root, own.get(controllers[0], "/")), controllers))
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
            break
        except FileNotFoundError:  # somebody else has just removed the empty parent
            if last:
                raise
    return parent / name


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
        for file, value in settings(place.version, place.controllers[0], Limits(memory_mb=64, cpu_percent=50)):
            _write(directory / file, value, optional=file in OPTIONAL)
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
