"""How sizes, spans and times read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stellar.web import formats
from stellar.web.account_pages import device
from stellar.web.menu import MenuItem, current


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (5 * 1024**3, "5 GiB"),
        (3 * 1024**4, "3 TiB"),
    ],
)
def test_sizes(value: int, text: str) -> None:
    assert formats.size(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (65, "1 min 5 s"), (3 * 3600 + 720, "3 h 12 min"), (90000, "1 d 1 h")]
)
def test_spans(seconds: int, text: str) -> None:
    assert formats.span(seconds) == text


def test_limits() -> None:
    assert (formats.megabytes(0), formats.megabytes(2048)) == ("no limit", "2 GiB")
    assert [formats.cores(percent) for percent in (0, 50, 100, 400)] == ["no limit", "50 %", "1 core", "4 cores"]


def test_moments_are_escaped() -> None:
    assert formats.moment(None, "<never>") == '<span class="muted">&lt;never&gt;</span>'
    assert 'datetime="2026-01-02T03:04:05+00:00"' in formats.moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_initials() -> None:
    assert [formats.initials(name) for name in ("", "ada", "Ada King Lovelace")] == ["", "A", "AL"]


def test_the_most_specific_menu_entry_is_current() -> None:
    home, servers, new = MenuItem("A", "/a"), MenuItem("B", "/servers"), MenuItem("C", "/servers/new")
    items = [home, servers, new]
    assert current(items, "/servers/new") is new
    assert current(items, "/servers/1/console") is servers
    assert current(items, "/serversandmore") is None


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile Safari/604.1",
            "Safari on iOS",
        ),
        ("curl/8.1", "curl"),
        ("", "Unknown device"),
    ],
)
def test_devices(agent: str, name: str) -> None:
    assert device(agent) == name


def test_an_entry_for_those_who_may_use_it() -> None:
    files, overview = MenuItem("Files", "/files", actions=("files.read", "files.write")), MenuItem("Overview", "/")
    assert files.fits(frozenset({"files.write"}))
    assert not files.fits(frozenset({"console.read"}))
    assert overview.fits(frozenset())


def test_details_are_short() -> None:
    assert formats.details({"role_name": "a", "ports": [1, 2]}) == "role name: a; ports: 1, 2"
    assert formats.details({"actions": []}) == "actions: none"
    assert formats.details({"actions": list("abcdef")}) == "actions: a, b, c, d, 2 more"
