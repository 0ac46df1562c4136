"""``/events``: what the caller may see, resumable, over a WebSocket and as server-sent events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from event_client import Follower, following
from web_parts import PASSWORD, WebServer, make_panel, make_plugin, running
from websockets.sync.client import connect

from stellar.auth import roles, sessions, users
from stellar.bus import feed, follow, names, sync
from stellar.bus.events import GlobalEvent, ServerStatus
from stellar.extend import hookimpl
from stellar.testing.valkey import ValkeyServer
from stellar.testing.waiting import wait_until

STREAM = "/api/v1/events/stream"
boxes: dict[str, list[str] | None] = {}
"""Which boxes an account may see, by address."""


@hookimpl
def visible_events(actor: Any) -> dict[str, Any]:
    if actor.is_admin:
        return {"box": None}
    return {"box": boxes[actor.email], "server": boxes[actor.email]} if actor.email in boxes else {}


@pytest.fixture
def web(tmp_path: Path, redis_url: str) -> Iterator[WebServer]:
    boxes.clear()
    boxes["ada@example.com"] = ["1"]
    with running(make_panel(tmp_path, redis_url, make_plugin("boxes", visible_events=visible_events))) as server:
        yield server


def tell(box: str, number: int = 0, **data: Any) -> None:
    sync.publish(names.EVENTS_GLOBAL, GlobalEvent("box.opened", box, {"number": number, **data}))


def user_id(email: str) -> str:
    user = users.by_email(email)
    assert user is not None
    return str(user.id)


def test_everybody_gets_what_they_may_see_and_nothing_else(web: WebServer) -> None:
    people = web.signed_in(), web.signed_in("eve@example.com")
    with people[0] as ada, people[1] as eve, following(web, ada) as first, following(web, eve) as second:
        tell("1", 1)
        tell("2", 2)
        tell("2", 3, user_id=user_id("eve@example.com"))
        tell("1", 4)
        assert [first.event()["data"]["data"]["number"] for _ in range(2)] == [1, 4]
        seen = second.event()
        assert seen["data"]["data"]["number"] == 3
        assert seen["topic"] == "box.opened"
        assert seen["subjects"] == ["box:2", f"user:{user_id('eve@example.com')}"]
        with pytest.raises(TimeoutError):
            second.read(0.3)


def test_state_and_figures_of_servers_are_events_and_logs_are_not(web: WebServer, valkey: ValkeyServer) -> None:
    with web.signed_in() as ada, following(web, ada) as follower:
        sync.publish(names.server_logs("1"), {"seq": 0, "data": ""})
        sync.publish(names.server_status("1"), ServerStatus("running", "starting", 1.5))
        sync.publish(names.server_metrics("1"), {"state": "running", "cpu_percent": 3.0})
        status, metrics = follower.event(), follower.event()
        assert (status["topic"], status["data"]["state"]) == ("server.status", "running")
        assert (metrics["topic"], metrics["subjects"]) == ("server.metrics", ["server:1"])
    with valkey.client() as client:
        assert client.xlen(names.FEED) == 2


def test_resuming_replays_what_was_missed(web: WebServer) -> None:
    with web.signed_in() as ada:
        with following(web, ada) as follower:
            tell("1", 1)
            last = follower.event()["id"]
        for number in range(2, 30):
            tell("1", number)
            tell("2", number)
        with following(web, ada, f"?after={last}") as follower:
            assert [follower.event()["data"]["data"]["number"] for _ in range(28)] == list(range(2, 30))
            follower.send("resume", after=last)
            assert follower.event()["data"]["data"]["number"] == 2


def test_what_is_too_old_is_a_gap(web: WebServer, valkey: ValkeyServer) -> None:
    with web.signed_in() as ada:
        with following(web, ada) as follower:
            tell("1", 1)
            last = follower.event()["id"]
        tell("1", 2)
        with valkey.client() as client:
            client.xtrim(names.FEED, maxlen=1, approximate=False)
        with following(web, ada, f"?after={last}") as follower:
            gap = follower.read()
            assert (gap["type"], gap["after"]) == ("gap", last)
            tell("1", 3)
            assert follower.event()["data"]["data"]["number"] == 3


@pytest.mark.parametrize("after", ["18446744073709551615-0", "1-1", "99999999999999-7"])
def test_an_invented_position_is_a_gap(web: WebServer, after: str) -> None:
    tell("1", 1)
    with web.signed_in() as ada, following(web, ada, f"?after={after}") as follower:
        assert follower.read()["type"] == "gap"
        tell("1", 2)
        assert follower.event()["data"]["data"]["number"] == 2


@pytest.mark.parametrize("query", ["after=x", "after=1", "after=-1-1", "after=18446744073709551616-0", "after=1-1%00"])
@pytest.mark.parametrize("extra", ["", "&topics=a%5Bb", "&subjects=nothing", "&unknown=1"])
def test_a_tampered_query_is_refused(web: WebServer, query: str, extra: str) -> None:
    with web.signed_in() as ada:
        assert ada.get(f"{STREAM}?{query}{extra}").status_code == 422
        if extra:
            assert ada.get(f"{STREAM}?{extra[1:]}").status_code == 422


@pytest.mark.parametrize(
    "frame",
    [{"type": "resume", "after": "x"}, {"type": "resume"}, {"type": "subscribe", "topics": ["A b"]}, {"type": "no"}, 3],
)
def test_a_bad_frame_ends_the_socket(web: WebServer, frame: Any) -> None:
    with web.signed_in() as ada, following(web, ada) as follower:
        follower.socket.send(json.dumps(frame))
        assert follower.ends() == ("invalid", 4422)


def test_subscriptions_can_be_filtered_and_changed(web: WebServer) -> None:
    boxes["ada@example.com"] = None
    with web.signed_in() as ada, following(web, ada, "?topics=box.*&subjects=box:2") as follower:
        sync.publish(names.server_status("2"), ServerStatus("running"))
        tell("1", 1)
        tell("2", 2)
        assert follower.event()["data"]["data"]["number"] == 2
        follower.send("subscribe", topics=["server.status"])
        wait_until(lambda: _published_status(follower), what="the new filter")


def _published_status(follower: Follower) -> bool:
    tell("2", 9)
    sync.publish(names.server_status("2"), ServerStatus("running"))
    return bool(follower.event()["topic"] == "server.status")


def test_a_right_that_is_taken_or_given_counts_at_once(web: WebServer) -> None:
    with web.signed_in() as ada, following(web, ada) as follower:
        boxes["ada@example.com"] = ["2"]
        roles.announce(user_id("ada@example.com"))
        tell("1", 1)
        tell("2", 2)
        assert follower.event()["data"]["data"]["number"] == 2
        boxes["ada@example.com"] = ["3"]
        roles.announce("")
        tell("2", 3)
        tell("3", 4)
        assert follower.event()["data"]["data"]["number"] == 4


def test_another_role_counts_at_once(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    users.create("root@example.com", PASSWORD, role="admin")
    with web.signed_in("mal@example.com", "admin") as mal, following(web, mal) as follower:
        me, refresh = user_id("mal@example.com"), sessions.refresh

        def late(changed: str) -> None:
            tell("7", 1)
            assert follower.event()["data"]["data"]["number"] == 1
            refresh(changed)

        monkeypatch.setattr(sessions, "refresh", late)
        users.set_role(me, "user")
        tell("7", 2)
        tell("7", 3, user_id=me)
        assert follower.event()["data"]["data"]["number"] == 3


def test_the_end_of_the_session_ends_it_at_once(web: WebServer) -> None:
    with web.signed_in() as ada, following(web, ada) as follower:
        sessions.end_all(user_id("ada@example.com"))
        tell("1", 1)
        assert follower.ends() == ("session_ended", 4401)


def test_it_ends_also_for_a_client_that_reads_nothing(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    big = "x" * 60_000
    with web.signed_in() as ada:
        headers = {"Cookie": f"stellar_session={ada.cookies['stellar_session']}"}
        url = web.url.replace("http", "ws") + "/api/v1/events"
        with connect(url, additional_headers=headers, proxy=None, max_queue=1, close_timeout=1) as socket:
            socket.recv(10)
            listeners = _listeners(web)
            assert len(listeners) == 1
            for number in range(400):
                tell("1", number, text=big)
            with following(web, ada) as other:  # the one that hangs holds up nobody
                tell("1", 1000)
                wait_until(lambda: other.event()["data"]["data"]["number"] == 1000, what="the latest event")
            sessions.end_all(user_id("ada@example.com"))
            wait_until(lambda: not _listeners(web), what="the end of the socket on the server")


def _listeners(web: WebServer) -> list[Any]:
    from stellar.bus import bus

    return list(bus.current().feed._listeners)


def test_a_slow_client_catches_up_from_the_log(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "RECENT", 5)
    with web.signed_in() as ada, following(web, ada) as follower:
        for number in range(700):
            tell("1", number)
        assert [follower.event()["data"]["data"]["number"] for _ in range(700)] == list(range(700))


def test_the_log_is_bounded(web: WebServer, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "KEPT", 100)
    for number in range(500):
        tell("1", number)
    with valkey.client() as client:
        assert client.xlen(names.FEED) <= 300


def test_nobody_and_strangers_sites_are_refused(web: WebServer) -> None:
    url = web.url.replace("http", "ws") + "/api/v1/events"
    with pytest.raises(websockets.InvalidStatus) as caught:
        connect(url, proxy=None)
    assert caught.value.response.status_code == 401
    with web.client() as nobody:
        assert nobody.get(STREAM).status_code == 401
    with web.signed_in() as ada:
        headers = {"Cookie": f"stellar_session={ada.cookies['stellar_session']}"}
        with pytest.raises(websockets.InvalidStatus) as caught:
            connect(url, origin="https://evil.example", additional_headers=headers, proxy=None)  # type: ignore[arg-type]
        assert caught.value.response.status_code == 403


def test_too_many_connections_of_one_account_are_refused(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from stellar.http import events

    monkeypatch.setattr(events, "MAX_OPEN", 2)
    with web.signed_in() as ada, web.signed_in("eve@example.com") as eve:
        with following(web, ada), following(web, ada):
            with pytest.raises(websockets.InvalidStatus) as caught, following(web, ada):
                pass
            assert caught.value.response.status_code == 429
            with following(web, eve):
                pass
        wait_until(lambda: not events._open, what="the count going down")
        with following(web, ada):
            pass


class TextEvents:
    """Reads server-sent events in a thread."""

    def __init__(self, client: httpx.Client, url: str = STREAM, **headers: str) -> None:
        self.seen: list[dict[str, str]] = []
        self.ended = threading.Event()
        self.status = 0
        self._ask = (client, url, headers)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        wait_until(lambda: self.seen or self.ended.is_set(), what="the first event")

    def _read(self) -> None:
        client, url, headers = self._ask
        with client.stream("GET", url, headers=headers, timeout=30) as answer:
            self.status = answer.status_code
            assert answer.headers["content-type"].startswith("text/event-stream")
            found: dict[str, str] = {}
            for line in answer.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    found[name] = value
                else:
                    self.seen.append(found)
                    found = {}
        self.ended.set()

    def events(self) -> list[dict[str, str]]:
        """Those without a name."""
        return [one for one in self.seen if "event" not in one]

    def numbers(self) -> list[int]:
        return [json.loads(one["data"])["data"]["data"]["number"] for one in self.events()]


def test_server_sent_events_offer_the_same(web: WebServer) -> None:
    with web.signed_in() as ada, web.client() as again:
        stream = TextEvents(ada, f"{STREAM}?topics=box.opened")
        assert stream.seen[0]["event"] == "hello"
        tell("1", 1)
        tell("2", 2)
        tell("1", 3)
        wait_until(lambda: stream.numbers() == [1, 3], what="the events")
        first = stream.events()[0]["id"]
        again.cookies.update(ada.cookies)
        resumed = TextEvents(again, **{"Last-Event-ID": first})
        wait_until(lambda: resumed.numbers() == [3], what="what was missed")
        lost = TextEvents(again, **{"Last-Event-ID": "99999999999999-1"})
        wait_until(lambda: [one["event"] for one in lost.seen if "event" in one] == ["hello", "gap"], what="the gap")
        sessions.end_all(user_id("ada@example.com"))
        for one in (stream, resumed, lost):
            assert one.ended.wait(10)
            assert json.loads(one.seen[-1]["data"])["code"] == "session_ended"
    wait_until(lambda: not _listeners(web), what="nobody following")


def test_a_stream_does_not_hold_up_the_end(web: WebServer, caplog: pytest.LogCaptureFixture) -> None:
    with web.signed_in() as ada, following(web, ada) as follower:
        stream = TextEvents(ada)
        web.stop()
        assert stream.ended.wait(10)
        with pytest.raises(websockets.ConnectionClosed):
            while follower.read():
                pass
    assert "timeout graceful shutdown exceeded" not in caplog.text


def test_a_restart_of_redis_loses_nothing(tmp_path: Path, own_valkey: ValkeyServer) -> None:
    boxes["ada@example.com"] = ["1"]
    panel = make_panel(tmp_path, own_valkey.url, make_plugin("boxes", visible_events=visible_events))
    with running(panel) as web, web.signed_in() as ada, following(web, ada) as follower:
        tell("1", 1)
        assert follower.event()["data"]["data"]["number"] == 1
        own_valkey.stop()
        own_valkey.start()
        tell("1", 2)
        assert follower.event()["data"]["data"]["number"] == 2
