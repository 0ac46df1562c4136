"""The rings of past figures: what goes in comes out, gaps are gaps, and the file keeps its size."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellar.plugins.servers.agent import history
from stellar.plugins.servers.agent.history import DAY, FIELDS, MONTH, SIZE, Recorder, read, write
from stellar.plugins.servers.calls import SPANS, Span
from stellar.testing.waiting import wait_for

NOW = 1_767_225_605.0


def sample(value: float, **others: float) -> list[float]:
    """The same for every figure, but for ``others``."""
    return [others.get(name, value) for name in FIELDS]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history"


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("points", [10, 360, 1000])
def test_a_server_without_a_past_has_only_gaps(path: Path, span: Span, points: int) -> None:
    found = read(path, span, points, NOW)
    assert 10 // 2 <= len(found.cpu_percent) <= points
    assert set(found.players) == {None}
    assert found.start + found.step * len(found.cpu_percent) > NOW
    assert found.step * len(found.cpu_percent) <= SPANS[span]


def test_an_hour_has_each_sample_in_its_place(path: Path) -> None:
    for minute in (0, 1, 59):
        write(path, NOW - minute * 60, sample(minute, players=math.nan))
    found = read(path, "hour", 360, NOW)
    assert found.step == 10
    assert (found.cpu_percent[-1], found.cpu_percent[-7], found.cpu_percent[-355]) == (0, 1, 59)
    assert sum(value is not None for value in found.cpu_percent) == 3
    assert set(found.players) == {None}


def test_steps_are_means_and_of_players_the_most(path: Path) -> None:
    write(path, 1_767_225_600.0, sample(1.0, cpu_percent=math.nan, players=7))
    write(path, 1_767_225_610.0, sample(3.0, cpu_percent=50.0, players=2))
    found = read(path, "day", 300, 1_767_225_610.0)
    assert found.step == 290
    assert (found.memory_bytes[-1], found.cpu_percent[-1], found.players[-1]) == (2.0, 50.0, 7.0)


def test_what_is_overwritten_or_from_another_time_is_a_gap(path: Path) -> None:
    write(path, NOW, sample(1.0))
    later = NOW + DAY.step * DAY.slots
    assert set(read(path, "day", 1000, later + 86_400).cpu_percent) == {None}
    assert set(read(path, "hour", 360, NOW - 86_400).cpu_percent) == {None}
    assert 1.0 in read(path, "month", 1000, later).cpu_percent


def test_a_month_outlives_the_day_that_it_was_made_of(path: Path) -> None:
    """The agent may begin in the middle of five minutes: they are made again of all their samples."""
    begin = 1_767_225_600.0
    for at in range(0, 300, 10):
        write(path, begin + at, sample(float(at)))
    for at in range(0, 86_400, 10):
        write(path, begin + 86_400 + at, sample(0.0))
    found = read(path, "month", 1000, begin + 2 * 86_400)
    assert found.step == 2700
    assert max(value for value in found.cpu_percent if value is not None) == pytest.approx(145.0)


def test_the_file_is_bounded_and_nobody_elses(path: Path) -> None:
    for at in range(0, 3 * DAY.slots * DAY.step, 7 * DAY.step):
        write(path, NOW + at, sample(1.0))
    assert path.stat().st_size <= SIZE == 2 * 8640 * 36
    assert path.stat().st_mode & 0o777 == 0o600


@given(
    st.lists(st.integers(0, 40 * 86_400), min_size=1, max_size=30), st.sampled_from(list(SPANS)), st.integers(10, 1000)
)
def test_whatever_was_written_in_the_span_and_nothing_else_is_read(
    tmp_path_factory: pytest.TempPathFactory, ages: list[int], span: Span, points: int
) -> None:
    path = tmp_path_factory.mktemp("ring") / "history"
    for age in sorted(ages, reverse=True):
        write(path, NOW - age, sample(float(age)))
    found = read(path, span, points, NOW)
    shown = [value for value in found.cpu_percent if value is not None]
    seconds = NOW - found.start
    expected = [age for age in ages if age <= seconds]
    assert bool(shown) == bool(expected)
    if shown:
        assert min(expected) <= min(shown)
        assert max(shown) <= max(expected) + MONTH.step
    assert found.start % found.step == 0


@given(st.binary(max_size=2000), st.integers(0, SIZE))
def test_a_damaged_file_is_read_as_far_as_it_goes(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int
) -> None:
    path = tmp_path_factory.mktemp("ring") / "history"
    write(path, NOW, sample(1.0))
    with path.open("r+b") as file:
        file.seek(at)
        file.write(junk)
        file.truncate(at + len(junk))
    for span in SPANS:
        read(path, span, 360, NOW)
    write(path, NOW, sample(2.0))
    assert read(path, "hour", 360, NOW).cpu_percent[-1] == 2.0


def test_a_link_in_its_place_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"mine")
    path.symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic"):
        write(path, NOW, sample(1.0))
    assert (tmp_path / "other").read_bytes() == b"mine"


async def test_samples_are_kept_when_their_ten_seconds_are_over(path: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    for at, value in ((0, 1.0), (5, 3.0)):
        recorder.add(path, sample(value), NOW - 5 + at)
    recorder.add(tmp_path / "gone" / "history", sample(1.0), NOW)
    assert not path.exists()
    recorder.keep(NOW + 4)
    assert not path.exists()
    recorder.keep(NOW + 5)
    await wait_for(path.exists)
    await wait_for(lambda: read(path, "hour", 360, NOW).cpu_percent[-1] == 2.0)
    assert list(tmp_path.iterdir()) == [path]


def test_the_rings_are_as_long_as_promised() -> None:
    assert DAY.step * DAY.slots == SPANS["day"]
    assert MONTH.step * MONTH.slots == SPANS["month"]
    assert (DAY.step, MONTH.step) == (10, 300)
    assert history.SIZE < 640 * 1024
