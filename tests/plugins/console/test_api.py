"""Reading a console's log and sending commands by plain requests."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

from console_parts import Site

from stellar import audit
from stellar.testing.waiting import wait_until


def read(site: Site, **query: Any) -> dict[str, Any]:
    """The answer of the console's log."""
    answer = site.ada.get(f"{site.path}/console", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_log_is_read_from_where_one_wants(site: Site) -> None:
    data = "one\ntwo €\n".encode()
    site.node.print(data)
    assert read(site) == {"seq": 0, "data": "one\ntwo €\n", "next": 12, "start": 0, "end": 12}
    assert read(site, after=4, limit=4)["data"] == "two "
    assert read(site, after=4, limit=5) == {"seq": 4, "data": "two ", "next": 8, "start": 0, "end": 12}
    assert read(site, after=8, limit=1)["data"] == "€\n"
    assert read(site, after=12) == {"seq": 12, "data": "", "next": 12, "start": 0, "end": 12}


def test_without_a_position_it_is_the_tail_from_a_line_start(site: Site) -> None:
    site.node.print(b"line\n" * 20_000)
    tail = read(site)
    assert tail["next"] == tail["end"] == 100_000
    assert len(tail["data"]) > 60_000
    assert tail["data"].startswith("line\n")


def test_plain_text_can_be_read_piece_by_piece(site: Site) -> None:
    site.node.print("\x1b]0;title\x07\x1b[1;32mgreen €\x1b[0m\r\n\x1b(B\x1b[2;5Hmoved\r\n".encode())
    pieces, position, end = [], 0, 1
    while position < end:
        piece = read(site, after=position, limit=12, plain=1)
        assert piece["next"] > position
        pieces.append(piece["data"])
        position, end = piece["next"], piece["end"]
    assert "".join(pieces) == "green €\nmoved\n"
    assert read(site, after=0, plain=1)["data"] == "green €\nmoved\n"


def test_bad_query_is_refused(site: Site) -> None:
    for query in ("after=-1", "after=x", "limit=0", "limit=99999999", "plain=maybe", "after=1&after=2"):
        assert site.ada.get(f"{site.path}/console?{query}").status_code == 422, query


def test_node_that_is_away_is_said_to_be(site: Site) -> None:
    site.node.kill()
    wait_until(lambda: site.ada.get(f"{site.path}/console").status_code == 503)
    assert site.ada.get(f"{site.path}/console").json()["code"] == "node_unreachable"


def test_command_is_typed_and_in_the_audit_log(site: Site) -> None:
    answer = site.ada.post(f"{site.path}/command", json={"command": "say\thé"})
    assert (answer.status_code, answer.json()) == (202, {})
    assert site.node.typed == "say\thé\n".encode()
    line = audit.list_page(action="server.command").entries[0]
    assert (line.target_id, line.actor_name) == (site.server_id, "ada@example.com")


def test_command_with_control_characters_or_too_long_is_refused(site: Site) -> None:
    for command in ("a\nb", "stop\r", "\x1b[2J", "\x7f", "\x9b1m", "x" * 4097, "x" * 1_000_000):
        answer = site.ada.post(f"{site.path}/command", json={"command": command})
        assert answer.status_code == (413 if len(command) > 5000 else 422), command[:80]
        assert answer.json()["detail"]
    assert site.node.typed == b""


def test_command_needs_a_running_game_and_the_csrf_token(site: Site) -> None:
    site.node.exit(0)
    wait_until(lambda: site.node.state(site.server_id) == "offline")
    assert site.ada.post(f"{site.path}/command", json={"command": "x"}).status_code == 409
    answer = site.ada.post(f"{site.path}/command", json={"command": "x"}, headers={"X-CSRF-Token": ""})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


def test_token_s_address_is_the_panel_s_own(site: Site) -> None:
    answer = site.ada.get(f"{site.path}/console-token").json()
    url = urlsplit(answer["url"])
    assert (url.scheme, url.netloc) == ("ws", site.web.url.removeprefix("http://"))
    assert parse_qs(url.query)["token"] == [answer["token"]]
    by_short_id = site.ada.get("/api/v1/servers/abcd1234/console-token").json()["url"]
    assert f"/servers/{site.server_id}/console/socket" in by_short_id


async def test_server_that_has_not_reached_its_node_says_so(site: Site) -> None:
    other = site.add_server("ada@example.com", "ffff0000")
    answer = await asyncio.to_thread(site.ada.get, f"/api/v1/servers/{other}/console")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_on_node")
