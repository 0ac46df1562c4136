"""The console's socket, from a client through the panel and the link to a node and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from console_client import ConsoleClient, console
from console_parts import DENIED, Site
from websockets.exceptions import InvalidStatus

from stellar.auth import users
from stellar.db import disconnect
from stellar.testing.valkey import ValkeyServer
from stellar.testing.waiting import wait_for


@pytest.fixture
async def client(site: Site) -> AsyncIterator[ConsoleClient]:
    """Ada's console."""
    async with console(site.url()) as client:
        yield client


async def refused(url: str, **options: Any) -> int:
    """The status with which a handshake is refused."""
    with pytest.raises(InvalidStatus) as caught:
        async with console(url, **options):
            pass
    return caught.value.response.status_code


async def test_history_then_live_output(site: Site) -> None:
    site.node.print("first line €\n".encode())
    async with console(site.url()) as client:
        await client.until_text("first line €\n")
        site.node.print(b"\x1b[31mred\x1b[0m prompt> ")
        await client.until_text("\x1b[31mred\x1b[0m prompt> ")
        assert client.frames[0] == {**client.frames[0], "type": "status", "state": "starting", "node_online": True}
        stats = await client.until("stats")
        assert stats["memory_bytes"] == 4096


async def test_first_frame_may_be_the_token(site: Site) -> None:
    site.node.print(b"hello\n")
    async with console(site.url().partition("?")[0]) as client:
        await client.send("auth", token=site.token())
        await client.until_text("hello\n")


async def test_first_frame_has_to_be_a_token(site: Site) -> None:
    async with console(site.url().partition("?")[0]) as client:
        await client.send("input", data="ls\n")
        assert (await client.until_closed())[0] == 4422
    async with console(site.url().partition("?")[0]) as client:
        await client.send("auth", token="x.y")
        assert (await client.until_closed())[0] == 4401
    assert site.node.typed == b""


async def test_resume_sends_what_is_missing(site: Site) -> None:
    site.node.print(b"one two three\n")
    async with console(site.url()) as client:
        await client.send("resume", after=4)
        await client.until_text("three\n")
        assert client.text == "two three\n"
        client.next = 8
        await client.send("resume", after=8)
        await client.until_text("three\nthree\n")


async def test_what_is_not_kept_is_a_gap(site: Site) -> None:
    site.node.print(b"gone\n")
    async with console(site.url()) as client:
        await client.until_text("gone\n")
    start = site.node.rotate()
    async with console(site.url()) as client:
        await client.send("resume", after=1)
        assert await client.until("gap") == {"type": "gap", "from": 1, "to": start}


async def test_flood_arrives_whole_and_does_not_wait_for_a_viewer_that_is_slow(site: Site) -> None:
    async with console(site.url(), max_queue=1) as slow, console(site.url()) as quick:
        site.node.print(b"start\n")
        await wait_for(lambda: slow.text and quick.text)
        slow.paused.clear()
        lines = "".join(f"line {number} " + "x" * 60 + "\n" for number in range(100_000)).encode()
        for begin in range(0, len(lines), 1_000_000):
            site.node.print(lines[begin : begin + 1_000_000])
        site.node.print(b"the end\n")
        await wait_for(lambda: quick.text.endswith("the end\n"), timeout=60)
        assert quick.text.encode() == b"start\n" + lines + b"the end\n"
        assert len(slow.text) < len(lines)
        slow.paused.set()
        await wait_for(lambda: slow.next == quick.next, timeout=60)
        assert slow.text == quick.text


async def test_output_while_the_agent_is_away_is_not_lost(site: Site, client: ConsoleClient) -> None:
    site.node.print(b"before\n")
    await client.until_text("before\n")
    await asyncio.to_thread(site.node.kill)
    await client.until("error", code="node_unreachable")
    await client.until("status", node_online=False)
    with site.node.runtime.latest.console.open("ab") as log:
        log.write(b"meanwhile\n")
    await asyncio.to_thread(site.node.start)
    await client.until_text("meanwhile\n")
    await client.until("status", node_online=True)
    site.node.print(b"after\n")
    await client.until_text("after\n")
    assert client.text == "before\nmeanwhile\nafter\n"
    assert len(client.all("error")) == 1


async def test_end_of_the_game_is_told(site: Site, client: ConsoleClient) -> None:
    await client.until("status", state="starting")
    await site_call(site, "stop")
    await client.until("status", state="stopping")
    await asyncio.to_thread(site.node.exit, 3)
    assert (await client.until("status", state="offline"))["exit_code"] == 3


async def test_input_arrives_in_order(site: Site, client: ConsoleClient) -> None:
    keys = [f"key {number} é\n" for number in range(50)]
    for key in keys:
        await client.send("input", data=key)
    await wait_for(lambda: site.node.typed == "".join(keys).encode())
    await client.send("input", data="\x1b" * 64 * 1024)
    await wait_for(lambda: site.node.typed.endswith(b"\x1b" * 1000))
    await client.send("resize", cols=132, rows=50)
    await wait_for(lambda: site.node.runtime.latest.sizes[-1:] == [(132, 50)])


BAD_FRAMES: list[str | bytes] = [
    "not json",
    "[]",
    '{"type": "input"}',
    '{"type": "input", "data": 1}',
    '{"type": "input", "data": "x", "more": 1}',
    '{"type": "input", "data": "\\ud800"}',
    '{"type": "unknown"}',
    '{"type": "resume", "after": -1}',
    '{"type": "resize", "cols": 0, "rows": 10}',
    '{"type": "resize", "cols": 80, "rows": 501}',
    '{"type": "auth", "token": "nonsense"}',
    '{"type": "input", "data": "' + "x" * 65537 + '"}',
    b"binary",
]


async def test_bad_frame_is_an_error_and_changes_nothing(site: Site, client: ConsoleClient) -> None:
    for number, frame in enumerate(BAD_FRAMES, 1):
        await client.socket.send(frame)
        await wait_for(lambda wanted=number: len(client.all("error")) == wanted, what=f"an error for {frame!r:.60}")
        assert client.all("error")[-1]["message"]
    await client.send("input", data="ok")
    await wait_for(lambda: site.node.typed == b"ok")
    assert site.node.runtime.latest.sizes == []


async def test_client_that_sends_nothing_but_garbage_is_dropped(client: ConsoleClient) -> None:
    for _ in range(30):
        await client.socket.send("garbage")
    assert (await client.until_closed())[0] == 4422


async def test_input_without_a_game_is_an_error(site: Site, client: ConsoleClient) -> None:
    await asyncio.to_thread(site.node.exit, 0)
    await client.until("status", state="offline")
    await client.send("input", data="x")
    assert (await client.until("error"))["code"] == "conflict"


async def test_reader_may_not_type(site: Site) -> None:
    DENIED.add("console.write")
    async with console(site.url()) as client:
        await client.send("input", data="x")
        assert (await client.until("error"))["code"] == "forbidden"
        await client.send("resize", cols=80, rows=25)
        await wait_for(lambda: len(client.all("error")) == 2)
        DENIED.clear()
        await client.send("input", data="y")
        await wait_for(lambda: len(client.all("error")) == 3)
    assert site.ada.get(f"{site.path}/console").status_code == 200
    assert site.node.typed == b""


async def test_right_to_type_can_be_taken_from_an_open_socket(site: Site, client: ConsoleClient) -> None:
    await client.send("input", data="x")
    await wait_for(lambda: site.node.typed == b"x")
    DENIED.add("console.write")
    await client.send("auth", token=await asyncio.to_thread(site.token))
    await client.send("input", data="y")
    assert (await client.until("error"))["code"] == "forbidden"


async def test_token_is_renewed_on_the_open_socket(site: Site, client: ConsoleClient) -> None:
    await client.until("token_expiring")
    token = await asyncio.to_thread(site.token)
    await client.send("auth", token=token)
    await wait_for(lambda: len(client.all("token_expiring")) == 2)
    assert client.all("error") == []


async def test_another_user_s_token_does_not_renew(site: Site, client: ConsoleClient) -> None:
    with site.web.signed_in("root@example.com", "admin") as root:
        token = root.get(f"{site.path}/console-token").json()["token"]
        await client.send("auth", token=token)
        assert (await client.until("error"))["code"] == "bad_token"


async def test_socket_ends_with_the_session(site: Site, client: ConsoleClient) -> None:
    url = site.url()
    await client.until("status")
    assert site.ada.post("/api/v1/auth/signout").status_code == 204
    assert await client.until_closed() == (4401, "session_ended")
    assert client.last("error", code="session_ended")
    assert await refused(url) == 401


async def test_socket_ends_with_the_account_s_suspension(site: Site, client: ConsoleClient) -> None:
    user = users.by_email("ada@example.com")
    assert user is not None
    await asyncio.to_thread(users.suspend, user.id)
    assert (await client.until_closed())[0] == 4401


async def test_an_api_key_opens_a_console_within_its_scopes_until_it_is_revoked(site: Site) -> None:
    wanted = {"name": "bot", "scopes": ["servers.read", "console.read"]}
    made = site.ada.post("/api/v1/users/me/keys", json=wanted).json()
    with site.web.client() as bot:
        bot.headers["Authorization"] = f"Bearer {made['token']}"
        url = bot.get(f"{site.path}/console-token").json()["url"]
    site.node.print(b"hello\n")
    async with console(url) as client:
        await client.until_text("hello\n")
        await client.send("input", data="x")
        assert (await client.until("error"))["code"] == "forbidden"
        assert site.ada.delete(f"/api/v1/users/me/keys/{made['id']}").status_code == 204
        assert await client.until_closed() == (4401, "bad_key")
    assert await refused(url) == 401
    assert site.node.typed == b""


async def test_an_api_key_for_something_else_opens_no_console(site: Site) -> None:
    made = site.ada.post("/api/v1/users/me/keys", json={"name": "bot", "scopes": ["servers.read"]}).json()
    with site.web.client() as bot:
        answer = bot.get(f"{site.path}/console-token", headers={"Authorization": f"Bearer {made['token']}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


async def test_forged_token_is_refused(site: Site) -> None:
    address = site.url().partition("?")[0]
    for token in ("x", "a.b", ".", "W10.W10", "%C3%A9", "%FF", "A" * 3000):
        assert await refused(f"{address}?token={token}") == 401, token


async def test_changed_token_is_refused(site: Site) -> None:
    url = site.url()
    place = url.index("token=") + 12
    changed = url[:place] + ("A" if url[place] != "A" else "B") + url[place + 1 :]
    assert await refused(changed) == 401


async def test_token_is_for_one_server(site: Site) -> None:
    other = site.add_server("ada@example.com", "ffff0000")
    assert await refused(site.url().replace(site.server_id, other)) == 401


async def test_another_site_s_page_is_refused(site: Site) -> None:
    assert await refused(site.url(), origin="http://evil.example") == 403


async def test_a_stranger_s_server_does_not_exist(site: Site) -> None:
    with site.web.signed_in("eve@example.com") as eve:
        assert eve.get(f"{site.path}/console-token").status_code == 404
        assert eve.get(f"{site.path}/console").status_code == 404
        assert eve.post(f"{site.path}/command", json={"command": "stop"}).status_code == 404
    assert site.web.client().get(f"{site.path}/console-token").status_code == 401


class TestWithoutRedis:
    """Redis goes away and comes back."""

    @pytest.fixture
    def redis_url(self, own_valkey: ValkeyServer) -> str:
        return own_valkey.url

    async def test_stream_goes_on(self, site: Site, own_valkey: ValkeyServer, client: ConsoleClient) -> None:
        site.node.print(b"before\n")
        await client.until_text("before\n")
        own_valkey.stop()
        site.node.print(b"meanwhile\n")
        await client.until("status", node_online=False)
        await asyncio.to_thread(own_valkey.start)
        await client.until_text("meanwhile\n")
        await client.until("status", node_online=True)
        site.node.print(b"after\n")
        await client.until_text("after\n")
        assert client.text == "before\nmeanwhile\nafter\n"


async def site_call(site: Site, action: str) -> None:
    """A power action through the API."""
    answer = await asyncio.to_thread(site.ada.post, f"{site.path}/{action}")
    assert answer.status_code == 202, answer.text


@pytest.fixture(autouse=True)
def _clean_up() -> Iterator[None]:
    yield
    DENIED.clear()
    disconnect()
