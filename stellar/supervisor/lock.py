"""One ``stellar run`` per data directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import SetupError


@contextmanager
def single_instance(data: Path) -> Iterator[None]:
    """Hold ``<data>/stellar.lock``; ``SetupError`` naming the process that holds it already.

    The kernel lets go of it when this process ends in whatever way; the file stays.
    """
    path = data / "stellar.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SetupError(f"{path} can't be opened ({error.strerror}); choose another directory with --data.") from None
    try:
        _lock(descriptor, data)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, data: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        raise SetupError(
            f"Stellar already runs on {data} (process {pid}); stop it first, or choose another directory with --data."
        ) from None
