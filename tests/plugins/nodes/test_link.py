"""The panel's end of the link against agents that are wrong, old, hostile or unlucky."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from link_parts import dial, greet, new_node, receive, send
from web_parts import WebServer
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from stellar.auth import users
from stellar.bus import names, sync
from stellar.db import write_tx
from stellar.db.fields import new_id
from stellar.errors import Conflict, NodeUnreachable
from stellar.plugins.blueprints.service import get_blueprint
from stellar.plugins.nodes import allocations, protocol
from stellar.plugins.nodes.models import Node
from stellar.plugins.nodes.protocol import (
    Ack,
    Call,
    Capabilities,
    Event,
    Heartbeat,
    Hello,
    Refused,
    Reply,
    ReplyError,
    Report,
    Specs,
    Welcome,
)
from stellar.plugins.servers.models import Server
from stellar.testing.valkey import ValkeyServer
from stellar.testing.waiting import wait_until


def server_on(node_id: str, name: str = "world") -> Server:
    """A server's row, as after its creation."""
    owner = users.by_email("owner@example.com") or users.create("owner@example.com", "correct horse battery")
    node = Node.get_by_id(node_id)
    with write_tx():
        server = Server.create(
            short_id=new_id()[:8],
            name=name,
            owner=owner,
            node=node,
            blueprint=get_blueprint("generic"),
            runtime="process",
            memory_mb=128,
            cpu_percent=0,
            disk_mb=0,
            variables={"START_COMMAND": "cat"},
            install_id=new_id(),
        )
        allocations.allocate(node, server.id, [allocations.Wanted("game", "both")])
    return server


@pytest.fixture
def node(web: WebServer, admin: httpx.Client) -> Iterator[tuple[str, ClientConnection]]:
    """A linked node: its id and its socket."""
    made, key = new_node(admin, "attic")
    with dial(web.url, key) as socket:
        greet(socket)
        yield made["id"], socket


def listen(valkey: ValkeyServer, *channels: str) -> Any:
    pubsub = valkey.client().pubsub()
    pubsub.subscribe(*channels)
    for _ in channels:
        assert pubsub.get_message(timeout=5)
    return pubsub


def closed(socket: ClientConnection) -> int:
    """The code with which the panel closes the socket."""
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            receive(socket)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


def test_a_welcome_holds_everything_wanted_on_the_node(web: WebServer, admin: httpx.Client) -> None:
    made, key = new_node(admin, "attic")
    server = server_on(made["id"])
    with dial(web.url, key) as socket:
        welcome = greet(socket)
    assert (welcome.node_id, welcome.name) == (made["id"], "attic")
    assert [spec["id"] for spec in welcome.specs] == [server.id]
    assert welcome.specs[0]["ports"][0]["port"] == 25565


def test_a_welcome_that_is_too_large_for_a_frame_comes_in_portions(
    web: WebServer, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, key = new_node(admin, "attic")
    servers = {server_on(made["id"]).id for _ in range(3)}
    monkeypatch.setattr(protocol, "PORTION", 1)
    with dial(web.url, key) as socket:
        frame: protocol.FromPanel = greet(socket)
        found = []
        while isinstance(frame, Welcome | Specs):
            found += [str(spec["id"]) for spec in frame.specs]
            assert len(frame.specs) == 1
            if not frame.more:
                break
            frame = receive(socket)
    assert len(found) == 3 and set(found) == servers


@given(st.lists(st.integers(0, 400), max_size=20))
def test_portions_hold_everything_in_its_order(sizes: list[int]) -> None:
    specs = [{"id": number, "script": "x" * size} for number, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "PORTION", 500)
        portions = protocol.portions(specs)
    assert [spec for portion in portions for spec in portion] == specs
    sizes_of = [(len(portion), sum(len(protocol.encode(one)) for one in portion)) for portion in portions]
    assert all(count <= 1 or size <= 500 for count, size in sizes_of)
    assert portions == [[]] or all(portions)


def test_another_protocol_version_is_refused_with_what_to_do(web: WebServer, admin: httpx.Client) -> None:
    made, key = new_node(admin, "attic")
    with dial(web.url, key) as socket:
        send(socket, Hello(99, "9.9.9", "host", "OS"))
        frame = receive(socket)
        assert isinstance(frame, Refused) and frame.code == "protocol"
        assert "99" in frame.message and "release" in frame.message
        assert closed(socket) == 4400
    assert Node.get_by_id(made["id"]).hostname == ""


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xc1",
        bytes(range(256)),
        msgspec.msgpack.encode({"t": "nothing"}),
        msgspec.msgpack.encode({"t": "hello"}),
        msgspec.msgpack.encode([1, 2, 3]),
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
        "text",
        json.dumps({"t": "hello", "protocol": 1}),
    ],
)
@pytest.mark.parametrize("greeted", [False, True])
def test_garbage_ends_the_link_and_changes_nothing(
    web: WebServer, garbage: bytes | str, greeted: bool, admin: httpx.Client
) -> None:
    made, key = new_node(admin, "attic")
    server = server_on(made["id"])
    with dial(web.url, key) as socket:
        if greeted:
            greet(socket)
        socket.send(garbage)
        assert closed(socket) in (4400, 1007)
    assert Server.get_by_id(server.id).state == "installing"
    with dial(web.url, key) as socket:
        assert greet(socket).node_id == made["id"]


def test_an_oversized_frame_ends_the_link(web: WebServer, node: tuple[str, ClientConnection]) -> None:
    _, socket = node
    send(socket, Heartbeat({"blob": "x" * (protocol.MAX_FRAME + 2048)}))
    assert closed(socket) in (1009, 4400, 4413)


def test_a_second_hello_ends_the_link(node: tuple[str, ClientConnection]) -> None:
    _, socket = node
    send(socket, Hello(protocol.PROTOCOL_VERSION, "0", "host", "OS"))
    assert closed(socket) == 4400


def test_a_heartbeat_is_published_and_kept_for_ten_seconds(
    valkey: ValkeyServer, node: tuple[str, ClientConnection]
) -> None:
    node_id, socket = node
    pubsub = listen(valkey, names.node_heartbeat(node_id))
    send(socket, Heartbeat({"cpu_percent": 12.5}))
    message = json.loads(pubsub.get_message(timeout=5)["data"])
    assert message["metrics"] == {"cpu_percent": 12.5}
    client = valkey.client()
    assert json.loads(client.get(f"cache:node:{node_id}:metrics")) == {"cpu_percent": 12.5}
    assert 0 < client.ttl(f"cache:node:{node_id}:metrics") <= 10


def test_what_a_node_finds_out_later_is_added_to_what_it_has_said(
    admin: httpx.Client, node: tuple[str, ClientConnection]
) -> None:
    node_id, socket = node
    able = {"docker": {"available": True, "reason": ""}}

    def known() -> Any:
        return admin.get(f"/api/v1/nodes/{node_id}").json()["capabilities"]

    send(socket, Capabilities({"runtimes": able, "protection": {}}))
    wait_until(lambda: known().get("runtimes") == able, what="the runtimes")
    send(socket, Capabilities({"protection": {"docker": {"active": {"cpu": True}, "reasons": {}}}}))
    wait_until(lambda: known()["protection"], what="the protection")
    assert known()["runtimes"] == able


def test_a_hello_before_a_node_knows_what_it_can_do_forgets_nothing(web: WebServer, admin: httpx.Client) -> None:
    made, key = new_node(admin, "slow")
    able = {"runtimes": {"process": {"available": True, "reason": ""}}}
    for capabilities in (able, {}):
        with dial(web.url, key) as socket:
            greet(socket, capabilities=capabilities)
        assert admin.get(f"/api/v1/nodes/{made['id']}").json()["capabilities"] == able


@pytest.mark.parametrize("names", [1, 4000])
def test_what_a_node_says_it_can_do_has_an_end(
    admin: httpx.Client, node: tuple[str, ClientConnection], names: int
) -> None:
    node_id, socket = node
    size = protocol.MAX_CAPABILITIES // names
    send(socket, Capabilities({f"x{number}": "a" * size for number in range(names)}))
    assert closed(socket) == 4400
    assert "x0" not in admin.get(f"/api/v1/nodes/{node_id}").json()["capabilities"]


@pytest.mark.parametrize(
    "odd",
    [
        {"runtimes": 5, "protection": "x"},
        {"runtimes": {"process": 5}, "protection": {"process": {"active": 5}}},
        {"runtimes": {"process": {"available": "<b>"}}, "protection": {"process": {"active": {"cpu": None}}}},
        {"runtimes": {"process": {"reason": b"\xff"}}, "protection": [1.5, float("nan")]},
        {"unknown_servers": {"id": 5}},
    ],
)
def test_pages_of_nodes_work_whatever_a_node_says_it_can_do(
    admin: httpx.Client, node: tuple[str, ClientConnection], odd: dict[str, Any]
) -> None:
    node_id, socket = node
    send(socket, Capabilities({**odd, "said": True}))
    wait_until(lambda: "said" in admin.get(f"/api/v1/nodes/{node_id}").json()["capabilities"], what="the capabilities")
    for path in ("/nodes", f"/nodes/{node_id}"):
        assert admin.get(path).status_code == 200


def test_events_of_its_own_server_are_published(valkey: ValkeyServer, node: tuple[str, ClientConnection]) -> None:
    node_id, socket = node
    server = server_on(node_id)
    pubsub = listen(valkey, names.server_status(server.id), names.server_logs(server.id))
    send(socket, Event("status", server.id, {"state": "running"}))
    assert json.loads(pubsub.get_message(timeout=5)["data"]) == {"state": "running"}
    send(socket, Event("logs", server.id, {"seq": 0, "data": b"\x00\xff"}))
    assert json.loads(pubsub.get_message(timeout=5)["data"]) == {"seq": 0, "data": "AP8="}
    client = valkey.client()
    assert json.loads(client.get(f"cache:server:{server.id}:status")) == {"state": "running"}
    assert 0 < client.ttl(f"cache:server:{server.id}:status") <= 30


def test_a_node_cannot_speak_for_another_nodes_server(
    web: WebServer, valkey: ValkeyServer, node: tuple[str, ClientConnection], admin: httpx.Client
) -> None:
    _, socket = node
    other, _ = new_node(admin, "cellar")
    victim = server_on(other["id"])
    pubsub = listen(valkey, names.server_status(victim.id), names.server_logs(victim.id))
    send(socket, Event("status", victim.id, {"state": "running"}))
    send(socket, Event("logs", victim.id, {"seq": 0, "data": b"forged"}))
    send(socket, Event("../../events:global", victim.id, {}))
    send(socket, Report("box:1", "server.state", victim.id, {"state": "running", "at": 1e12}))
    assert receive(socket) == Ack("box:1")
    assert pubsub.get_message(timeout=0.1) is None
    assert valkey.client().get(f"cache:server:{victim.id}:status") is None
    assert Server.get_by_id(victim.id).state == "installing"


def test_a_report_is_applied_once_and_acknowledged_each_time(node: tuple[str, ClientConnection]) -> None:
    node_id, socket = node
    server = server_on(node_id)
    report = Report("box:1", "server.state", server.id, {"state": "running", "at": 10.0})
    send(socket, report)
    assert receive(socket) == Ack("box:1")
    assert Server.get_by_id(server.id).state == "running"
    Server.update(state="offline", state_at=0.0).execute()
    send(socket, report)
    assert receive(socket) == Ack("box:1")
    assert Server.get_by_id(server.id).state == "offline"


def test_reports_of_a_new_outbox_count_from_the_beginning(node: tuple[str, ClientConnection]) -> None:
    node_id, socket = node
    server = server_on(node_id)
    for report_id, state in (("box:7", "running"), ("other:1", "offline")):
        send(socket, Report(report_id, "server.state", server.id, {"state": state, "at": 1.0}))
        assert receive(socket) == Ack(report_id)
    assert Server.get_by_id(server.id).state == "offline"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("server.state", {"state": "hacked", "at": 1.0}),
        ("server.state", {"state": "running"}),
        ("server.state", {"state": ["running"], "at": "now"}),
        ("server.installed", {"install_id": "someone else's", "ok": True}),
        ("server.unheard_of", {}),
    ],
)
def test_a_malformed_report_changes_nothing_and_does_not_block_the_next(
    node: tuple[str, ClientConnection], kind: str, data: dict[str, Any]
) -> None:
    node_id, socket = node
    server = server_on(node_id)
    send(socket, Report("box:1", kind, server.id, data))
    assert receive(socket) == Ack("box:1")
    assert Server.get_by_id(server.id).state == "installing"
    send(socket, Report("box:2", "server.state", server.id, {"state": "offline", "at": 1.0}))
    assert receive(socket) == Ack("box:2")
    assert Server.get_by_id(server.id).state == "offline"


def test_a_call_reaches_the_node_and_its_answer_or_error_comes_back(node: tuple[str, ClientConnection]) -> None:
    node_id, socket = node

    def answer() -> None:
        for reply in ({"result": {"data": b"\x00\xff"}}, {"error": ReplyError("conflict", "No.", "busy")}):
            call = receive(socket)
            assert isinstance(call, Call) and call.method == "test.echo" and call.params == {"text": "hi"}
            send(socket, Reply(call.id, **reply))

    agent = threading.Thread(target=answer)
    agent.start()
    assert sync.call(node_id, "test.echo", {"text": "hi"}, returns=dict[str, bytes]) == {"data": b"\x00\xff"}
    with pytest.raises(Conflict, match=r"No\.") as caught:
        sync.call(node_id, "test.echo", {"text": "hi"})
    agent.join()
    assert caught.value.code == "busy"


def test_a_call_to_a_node_that_is_away_or_silent_fails_in_time(
    web: WebServer, node: tuple[str, ClientConnection]
) -> None:
    node_id, _ = node
    with pytest.raises(NodeUnreachable, match="did not answer"):
        sync.call(node_id, "test.echo", {}, timeout=0.3)
    with pytest.raises(NodeUnreachable, match="not connected"):
        sync.call(new_id(), "test.echo", {})


def test_a_call_under_way_fails_at_once_when_the_link_ends(node: tuple[str, ClientConnection]) -> None:
    node_id, socket = node

    def leave() -> None:
        assert isinstance(receive(socket), Call)
        socket.close()

    leaver = threading.Thread(target=leave)
    leaver.start()
    with pytest.raises(NodeUnreachable, match="link ended before it answered"):
        sync.call(node_id, "test.echo", {}, timeout=60)
    leaver.join()


def test_a_newer_link_of_the_same_node_replaces_the_older(web: WebServer, admin: httpx.Client) -> None:
    made, key = new_node(admin, "attic")
    with dial(web.url, key) as first:
        greet(first)
        with dial(web.url, key) as second:
            greet(second)
            assert closed(first) == 4409
            wait_until(lambda: admin.get(f"/api/v1/nodes/{made['id']}").json()["online"], what="the node being online")
            send(second, Heartbeat({}))
    wait_until(lambda: not admin.get(f"/api/v1/nodes/{made['id']}").json()["online"], what="the node being offline")


def test_a_reply_nobody_waits_for_is_ignored(node: tuple[str, ClientConnection]) -> None:
    node_id, socket = node
    server = server_on(node_id)
    send(socket, Reply("never asked", {"forged": True}))
    send(socket, Report("box:1", "server.state", server.id, {"state": "offline", "at": 1.0}))
    assert receive(socket) == Ack("box:1")
