"""What the agent remembers of a server on disk: its spec and where it stands."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import msgspec

from ..calls import InstallState, ServerState
from ..spec import ServerSpec
from .layout import Layout

log = logging.getLogger(__name__)


class Record(msgspec.Struct):
    """Where a server stands; times are seconds since the epoch."""

    state: ServerState = "offline"
    since: float = msgspec.field(default_factory=time.time)
    started_at: float | None = None
    install: InstallState | None = None
    install_begun: bool = True
    """Whether the latest install may have run anything yet."""
    stop_deadline: float | None = None
    """While stopping: when it is killed."""
    stop_sent: bool = False
    start_again: bool = False
    """While stopping: it is a restart."""
    crashes: list[float] = []
    """Recent ones, oldest first."""
    restart_at: float | None = None
    """After a crash, or when the machine was started again: when the server is."""
    failure: str = ""
    """Why the agent is ending what runs, until that has ended."""
    prompted: list[str] = []
    """The known prompts that the panel has been told of in this run."""
    boot: str = ""
    """Of which boot of the machine all of this is."""
    disk_over_since: float | None = None
    """Since when it takes more disk than it may."""


def load(layout: Layout) -> tuple[ServerSpec, Record]:
    """What was saved; ``OSError`` or ``msgspec.MsgspecError`` without a readable spec.

    An unreadable record must not install the server over its data again: it counts as installed.
    """
    spec = msgspec.json.decode(layout.spec.read_bytes(), type=ServerSpec)
    try:
        return spec, msgspec.json.decode(layout.state.read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("server %s: its state file can't be read, it counts as installed: %s", spec.id, error)
        now = time.time()
        install = InstallState(id=spec.install_id, ok=True, exit_code=None, started_at=now, finished_at=now)
        return spec, Record(install=install)


def save_spec(layout: Layout, spec: ServerSpec) -> None:
    """Replace the saved spec."""
    _write(layout.spec, msgspec.json.encode(spec))


def save_record(layout: Layout, record: Record) -> None:
    """Replace the saved record."""
    _write(layout.state, msgspec.json.encode(record))


def _write(path: Path, content: bytes) -> None:
    """Readable by the agent only, and whole after a power cut."""
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
