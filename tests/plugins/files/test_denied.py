"""What a blueprint's denylist keeps from a server's owner."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from server_parts import Node

from stellar.errors import Forbidden, Invalid
from stellar.plugins.files.agent import denied
from stellar.plugins.files.agent.denied import check_allowed
from stellar.plugins.files.agent.handlers import HANDLERS
from stellar.plugins.files.calls import DeleteFiles, RenameFile, WriteBegin
from stellar.plugins.servers.agent.comeback import Policy
from stellar.plugins.servers.agent.server import Server

DENYLIST = ["*.sh", "/server.jar", "logs/", "!keep.sh", "", "#comment", "[z", "!"]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path, Policy())
    await node.manager.load()
    yield node
    node.manager.close()


async def a_server(node: Node, denylist: list[str]) -> Server:
    return (await node.create(denylist=denylist)).server


@pytest.mark.parametrize(
    "path",
    ["a.sh", "deep/er/a.sh", "//./a.sh", "server.jar", "./server.jar", "logs", "logs/latest", "x/logs/y", "a.sh/b"],
)
async def test_what_it_names_is_kept_however_it_is_written(node: Node, path: str) -> None:
    server = await a_server(node, DENYLIST)
    with pytest.raises(Forbidden) as caught:
        check_allowed(server, "server.properties", path)
    assert caught.value.code == "denied_file"


@pytest.mark.parametrize("path", ["keep.sh", "mods/server.jar", "a.sh.txt", "log", "[z", "#comment", ""])
async def test_everything_else_is_the_owners(node: Node, path: str) -> None:
    check_allowed(await a_server(node, DENYLIST), path)
    check_allowed(await a_server(node, []), "a.sh")


async def test_what_is_no_path_is_refused(node: Node) -> None:
    with pytest.raises(Invalid):
        check_allowed(await a_server(node, DENYLIST), "x/../a.sh")


async def test_a_pattern_that_backtracks_for_ever_keeps_the_file(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denied, "MATCH_SECONDS", 0.01)
    server = await a_server(node, ["*a" * 60 + "b"])
    with pytest.raises(Forbidden):
        check_allowed(server, "a" * 250)


async def test_no_call_writes_moves_or_deletes_it(node: Node) -> None:
    server = await a_server(node, ["*.sh"])
    node.context.provide(node.manager)
    (server.layout.data / "a.sh").write_text("mine")
    (server.layout.data / "b").write_text("b")
    calls = [
        ("files.write_begin", WriteBegin(server.id, "a.sh", True, 1)),
        ("files.rename", RenameFile(server.id, "a.sh", "c")),
        ("files.rename", RenameFile(server.id, "b", "c.sh")),
        ("files.delete", DeleteFiles(server.id, ["b", "a.sh"])),
    ]
    for method, params in calls:
        with pytest.raises(Forbidden):
            await HANDLERS[method](node.context, params)
    assert sorted(path.name for path in server.layout.data.iterdir()) == ["a.sh", "b"]


async def test_a_folder_is_moved_and_deleted_whatever_is_in_it(node: Node) -> None:
    """The denylist names paths, and other panels look no deeper either."""
    server = await a_server(node, ["*.sh"])
    node.context.provide(node.manager)
    (server.layout.data / "mods").mkdir()
    (server.layout.data / "mods" / "a.sh").write_text("mine")
    await HANDLERS["files.rename"](node.context, RenameFile(server.id, "mods", "old"))
    assert (server.layout.data / "old" / "a.sh").exists()
    await HANDLERS["files.delete"](node.context, DeleteFiles(server.id, ["old"]))
    assert list(server.layout.data.iterdir()) == []
