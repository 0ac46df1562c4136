"""All servers of a node: kept on disk, taken up again, reconciled, removed."""

from __future__ import annotations

import asyncio
import os
import stat
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from server_parts import Node, make_spec

from stellar.errors import Conflict, Invalid, NotFound, Unavailable
from stellar.plugins.servers.agent import managed as managed_module
from stellar.plugins.servers.agent import manager
from stellar.plugins.servers.agent.comeback import Policy
from stellar.plugins.servers.agent.managed import Managed
from stellar.plugins.servers.agent.record import load
from stellar.plugins.servers.agent.runtime import OnExit, OnOutput, Run
from stellar.testing.waiting import wait_for


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path / "agent", Policy())
    await node.manager.load()
    yield node
    node.manager.close()


async def test_a_server_is_kept_on_disk_for_the_agent_only(node: Node) -> None:
    managed = await node.create(name="first")
    layout = node.manager.layout(managed.server.id)
    assert layout.data.is_dir()
    for path in (layout.spec, layout.state):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    spec, record = load(layout)
    assert spec == managed.server.spec
    assert record == managed.server.record


async def test_a_new_agent_knows_all_servers(node: Node) -> None:
    servers = [await node.create() for _ in range(40)]
    node.kill_agent()
    await node.start_agent()
    assert {server.id for server, _ in node.manager.watches()} == {managed.server.id for managed in servers}


async def test_one_broken_server_does_not_keep_the_others_away(node: Node) -> None:
    good, broken, lost = [await node.create() for _ in range(3)]
    broken.server.layout.spec.write_bytes(b"{nonsense")
    lost.server.layout.state.write_bytes(b"")
    (node.context.data / "servers" / "not-a-server").mkdir()
    node.kill_agent()
    await node.start_agent()
    assert node.manager.get(good.server.id).server.state == "offline"
    with pytest.raises(Conflict):
        node.manager.get(broken.server.id)
    again = node.manager.get(lost.server.id)
    await node.manager.apply(again.server.spec)
    assert again.server.state == "offline", "an unreadable state must not install over the data"
    assert node.runtime.runs == []


MANY = 120


def hang(node: Node, monkeypatch: pytest.MonkeyPatch, *stuck: Managed) -> asyncio.Event:
    """Have the runtime take its time with these servers (all of them, without any) until the event is set."""
    go_on, attach = asyncio.Event(), node.runtime.attach
    roots = {managed.server.layout.root for managed in stuck}

    async def attach_later(root: Path, on_output: OnOutput, on_exit: OnExit) -> Run | None:
        if not roots or root in roots:
            await go_on.wait()
        return await attach(root, on_output, on_exit)

    monkeypatch.setattr(node.runtime, "attach", attach_later)
    monkeypatch.setattr(manager, "LOADED_WITHIN", 0.1)
    monkeypatch.setattr(managed_module, "TAKEN_UP_WITHIN", 0.1)
    return go_on


async def test_the_agent_knows_all_its_servers_before_it_has_taken_them_up(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = [await node.create() for _ in range(MANY)]
    await servers[0].power("start")
    node.kill_agent()
    go_on = hang(node, monkeypatch)
    await node.start_agent()
    assert len(list(node.manager.watches())) == MANY
    again = node.manager.get(servers[0].server.id)
    assert again.state().state == "starting"
    assert (await again.read(None, 100)).end == 0
    for action in ("start", "stop", "restart", "kill"):
        with pytest.raises(Unavailable, match="has just started"):
            await again.power(action)  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        await node.manager.remove(again.server.id)
    assert again.server.layout.data.is_dir(), "a game that may run keeps its files"
    go_on.set()
    await wait_for(lambda: again.taken_up)
    await again.power("kill")
    assert node.runtime.latest.ended is not None


async def test_a_server_that_does_not_answer_does_not_hold_up_the_others(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = [await node.create() for _ in range(2)]
    node.kill_agent()
    go_on = hang(node, monkeypatch, stuck)
    monkeypatch.setattr(manager, "FOLLOWED_WITHIN", 0.1)
    await node.start_agent()
    await node.manager.get(other.server.id).power("start")
    specs = [msgspec.structs.replace(one.server.spec, name="renamed") for one in (stuck, other)]
    monkeypatch.setattr(managed_module, "TAKEN_UP_WITHIN", 10.0)
    await node.manager.reconcile([msgspec.to_builtins(spec) for spec in specs])
    assert node.manager.get(other.server.id).server.spec.name == "renamed"
    go_on.set()
    await wait_for(lambda: node.manager.get(stuck.server.id).server.spec.name == "renamed")


async def test_a_runtime_that_comes_up_after_the_agent_is_waited_for(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    managed = await node.create()
    await managed.power("start")
    node.kill_agent()
    monkeypatch.setattr(manager, "TRY_AGAIN", 0.01)
    runtime, attach = node.runtime, node.runtime.attach
    tries: list[Path] = []

    async def attach_at_last(root: Path, on_output: OnOutput, on_exit: OnExit) -> Run | None:
        tries.append(root)
        if len(tries) < 3:
            raise Unavailable("The runtime isn't there.")
        return await attach(root, on_output, on_exit)

    monkeypatch.setattr(runtime, "attach", attach_at_last)
    await node.start_agent()
    again = node.manager.get(managed.server.id)
    await wait_for(lambda: again.taken_up)
    runtime.latest.print(b"Ready\n")
    await wait_for(lambda: again.server.state == "running")


async def test_what_cannot_be_taken_up_can_be_removed(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    managed = await node.create()
    node.kill_agent()
    monkeypatch.setattr(managed_module, "TAKEN_UP_WITHIN", 0.1)

    async def attach(root: Path, on_output: OnOutput, on_exit: OnExit) -> Run | None:
        raise Unavailable("This node has no such runtime any more.")

    monkeypatch.setattr(node.runtime, "attach", attach)
    await node.start_agent()
    with pytest.raises(Unavailable, match="no such runtime"):
        await node.manager.get(managed.server.id).power("start")
    await node.manager.remove(managed.server.id)
    assert not managed.server.layout.root.exists()


async def test_an_update_is_kept_and_used_at_the_next_start(node: Node) -> None:
    managed = await node.create(startup="echo one")
    await node.manager.apply(msgspec.structs.replace(managed.server.spec, startup="echo two", name="renamed"))
    node.kill_agent()
    await node.start_agent()
    again = node.manager.get(managed.server.id)
    assert again.server.spec.name == "renamed"
    await again.power("start")
    assert "echo two" in node.runtime.latest.command


async def test_a_server_goes_on_when_its_state_cannot_be_written(node: Node) -> None:
    managed = await node.create()
    managed.server.layout.state.unlink()
    managed.server.layout.state.mkdir()
    await managed.power("start")
    assert managed.server.state == "starting"
    assert node.context.states(managed.server.id)[-1] == "starting"


async def test_the_runtime_of_a_running_server_stays(node: Node) -> None:
    managed = await node.create()
    await managed.power("start")
    with pytest.raises(Conflict, match="Stop the server"):
        await node.manager.apply(msgspec.structs.replace(managed.server.spec, runtime="docker"))
    assert managed.server.spec.runtime == "process"


A_UUID = "20f93aa1-0aa5-450b-afcb-077e1dc2a0a2"


@pytest.mark.parametrize("bad", ["../../etc", "", ".", "x" * 36, A_UUID.upper(), f"{A_UUID}\n"])
async def test_only_a_uuid_becomes_a_path(node: Node, bad: str) -> None:
    with pytest.raises(Invalid):
        await node.manager.apply(make_spec(id=bad))
    with pytest.raises(Invalid):
        await node.manager.remove(bad)
    with pytest.raises(Conflict):
        node.manager.layout(bad)
    assert list((node.context.data / "servers").iterdir()) == []


async def test_remove_kills_and_deletes_but_follows_no_link(node: Node, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("keep")
    managed = await node.create()
    data = managed.server.layout.data
    (data / "link").symlink_to(precious)
    (data / "locked").mkdir()
    (data / "locked" / "file").write_text("x")
    (data / "locked").chmod(0o500)
    await managed.power("start")
    await node.manager.remove(managed.server.id)
    assert node.runtime.latest.ended is not None
    assert os.listdir(node.context.data / "servers") == []  # noqa: PTH208 - names are what matters
    assert (precious / "file").read_text() == "keep"
    with pytest.raises(Conflict):
        node.manager.get(managed.server.id)
    await node.manager.remove(managed.server.id)


async def test_a_removal_that_the_agent_did_not_live_to_finish_is_finished(node: Node) -> None:
    managed = await node.create()
    node.kill_agent()
    root = managed.server.layout.root
    root.rename(root.with_name(f"removed-{uuid.uuid4().hex}"))
    await node.start_agent()
    assert list(root.parent.iterdir()) == []


async def test_what_a_sandbox_was_tried_on_is_no_server(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    (node.context.data / "servers" / ".try-x" / "data").mkdir(parents=True)
    node.kill_agent()
    await node.start_agent()
    assert caplog.text == ""


async def test_a_removed_server_can_come_back_later(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    managed = await node.create()
    await node.manager.remove(managed.server.id)
    with pytest.raises(NotFound):
        await node.manager.apply(managed.server.spec)
    monkeypatch.setattr(manager, "GONE_FOR", 0.0)
    await node.manager.apply(managed.server.spec)
    assert node.manager.get(managed.server.id).server.state == "offline"


async def test_reconcile_creates_updates_and_leaves_the_unknown_alone(node: Node) -> None:
    known = await node.create()
    unknown = await node.create()
    await unknown.power("start")
    new = make_spec()
    renamed = msgspec.structs.replace(known.server.spec, name="renamed")
    node.context.reports.clear()
    wanted = [msgspec.to_builtins(spec) for spec in (new, renamed)]
    await node.manager.reconcile([*wanted, {"id": str(uuid.uuid4()), "from": "the future"}])
    assert node.manager.get(new.id).server.state == "offline"
    assert known.server.spec.name == "renamed"
    assert unknown.server.state == "starting"
    assert unknown.server.layout.data.is_dir()
    assert node.context.capabilities["unknown_servers"] == [{"id": unknown.server.id, "name": "test"}]
    assert node.context.states(known.server.id) == ["offline"], "the panel is told the state anew"


async def test_a_spec_that_cannot_be_followed_now_does_not_hold_up_the_others(node: Node) -> None:
    busy = await node.create()
    await busy.power("start")
    other = make_spec()
    reinstall = msgspec.structs.replace(busy.server.spec, install_id="2")
    await node.manager.reconcile([msgspec.to_builtins(reinstall), msgspec.to_builtins(other)])
    assert busy.server.state == "starting"
    assert node.manager.get(other.id).server.state == "offline"
