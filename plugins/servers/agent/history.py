"""A server's past figures: two rings of samples in one file of bounded size, a day every 10 s and a month every 5 min.

A ring's slot holds the number of the step (seconds since the epoch, divided by the ring's step) and the figures as
32-bit floats, NaN for what wasn't known. A slot with another number than the expected one is old or was never
written: a gap. The file is sparse until a server has run that long, then takes ``SIZE`` bytes (607 KiB).
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..calls import SPANS, History, Span

log = logging.getLogger(__name__)

FIELDS = (
    "cpu_percent",
    "memory_bytes",
    "disk_bytes",
    "network_rx_rate",
    "network_tx_rate",
    "io_read_rate",
    "io_write_rate",
    "players",
)
HIGHEST = FIELDS.index("players")
"""The figure of which the highest is kept; of the others it is the mean."""

KEPT_WAITING = 6
"""How many times ten seconds of samples wait for a disk that doesn't answer, before the oldest are dropped."""

Sample = Sequence[float]
"""A value for each of ``FIELDS``, NaN where it isn't known."""

_SLOT = struct.Struct(f"<I{len(FIELDS)}f")


@dataclass(frozen=True)
class Ring:
    """``slots`` samples of ``step`` seconds each, at ``offset`` in the file."""

    step: int
    slots: int
    offset: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.slots * _SLOT.size

    def position(self, number: int) -> int:
        """Where the step ``number`` is in the file."""
        return self.offset + number % self.slots * _SLOT.size


DAY = Ring(step=10, slots=8640, offset=0)
MONTH = Ring(step=300, slots=8640, offset=DAY.size)
SIZE = DAY.size + MONTH.size


class Recorder:
    """Gathers the samples of all servers, and keeps their means when their 10 seconds are over."""

    def __init__(self) -> None:
        self._number = 0
        self._samples: dict[Path, list[Sample]] = {}
        self._whole: deque[tuple[dict[Path, list[Sample]], float]] = deque(maxlen=KEPT_WAITING)
        self._writing: asyncio.Task[None] | None = None

    def add(self, path: Path, sample: Sample, now: float) -> None:
        """A sample of the server whose history is at ``path``."""
        self.keep(now)
        self._samples.setdefault(path, []).append(sample)

    def keep(self, now: float) -> None:
        """Write what is whole, in the background."""
        number = int(now) // DAY.step
        if number == self._number:
            return
        if self._samples:
            self._whole.append((self._samples, self._number * DAY.step))
        self._samples, self._number = {}, number
        if self._whole and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._whole:
            await asyncio.to_thread(_write_all, *self._whole.popleft())


def _write_all(whole: dict[Path, list[Sample]], at: float) -> None:
    for path, samples in whole.items():
        try:
            write(path, at, _merged(samples))
        except FileNotFoundError:
            continue  # the server has been removed meanwhile
        except OSError as error:
            log.warning("the history %s can't be kept: %s", path, error)


def write(path: Path, at: float, sample: Sample) -> None:
    """Keep the sample of the 10 seconds around ``at`` (seconds since the epoch); ``OSError``."""
    number = int(at) // DAY.step
    month = int(at) // MONTH.step
    with _opened(path, os.O_RDWR | os.O_CREAT) as fd:
        os.pwrite(fd, _SLOT.pack(number, *sample), DAY.position(number))
        # Made anew of all its samples each time, so that an agent that begins in the middle leaves no dent.
        first = month * MONTH.step // DAY.step
        rows = [row for _, row in _rows(fd, DAY, first, first + MONTH.step // DAY.step)]
        os.pwrite(fd, _SLOT.pack(month, *_merged(rows)), MONTH.position(month))


def read(path: Path, span: Span, points: int, now: float) -> History:
    """The time until ``now`` in at most ``points`` steps; all gaps where nothing was written."""
    seconds = SPANS[span]
    ring = DAY if seconds <= DAY.step * DAY.slots else MONTH
    each = math.ceil(seconds / ring.step / points)
    step = each * ring.step
    last = int(now) // step
    first = last - seconds // step + 1
    gathered: dict[int, list[Sample]] = {}
    try:
        with _opened(path, os.O_RDONLY) as fd:
            for number, row in _rows(fd, ring, first * each, (last + 1) * each):
                gathered.setdefault(number // each, []).append(row)
    except FileNotFoundError:
        pass
    unknown = (math.nan,) * len(FIELDS)
    merged = [_merged(gathered[number]) if number in gathered else unknown for number in range(first, last + 1)]
    series = ([None if math.isnan(value) else value for value in column] for column in zip(*merged, strict=True))
    return History(float(first * step), step, *series)


def _rows(fd: int, ring: Ring, first: int, end: int) -> Iterator[tuple[int, Sample]]:
    """The steps from ``first`` to before ``end`` that the ring has, at most once round."""
    first = max(first, end - ring.slots)
    start = first % ring.slots
    head = min(end - first, ring.slots - start)
    data = os.pread(fd, head * _SLOT.size, ring.position(first)).ljust(head * _SLOT.size, b"\0")
    if head < end - first:
        data += os.pread(fd, (end - first - head) * _SLOT.size, ring.offset)
    whole = len(data) - len(data) % _SLOT.size
    for expected, (number, *row) in enumerate(_SLOT.iter_unpack(data[:whole]), start=first):
        if number == expected:
            yield number, row


def _merged(rows: Sequence[Sample]) -> Sample:
    """One sample for all of these."""
    if len(rows) == 1:
        return rows[0]
    merged = []
    for index, column in enumerate(zip(*rows, strict=True)):
        known = [value for value in column if not math.isnan(value)]
        if not known:
            merged.append(math.nan)
        else:
            merged.append(max(known) if index == HIGHEST else sum(known) / len(known))
    return merged


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)
