"""The file calls as a node answers them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from server_parts import Node
from small_disk import small_disk

from stellar.errors import DomainError
from stellar.plugins.files.agent import handlers
from stellar.plugins.files.agent.uploads import IDLE_SECONDS, MAX_OPEN_PER_SERVER, Uploads
from stellar.plugins.files.calls import MAX_CHUNK, MAX_PATHS
from stellar.plugins.nodes.agent.calls import Dispatcher
from stellar.plugins.nodes.protocol import Call
from stellar.plugins.servers.agent.comeback import Policy
from stellar.plugins.servers.spec import Limits
from stellar.testing.waiting import wait_for

Ask = Callable[..., Awaitable[Any]]


class Refused(Exception):
    """The node answered with an error."""

    def __init__(self, kind: str, code: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.code = code


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(tmp_path / "agent", Policy())
    await node.manager.load()
    node.context.provide(node.manager)
    await handlers.start(node.context)
    yield node
    await handlers.stop(node.context)
    node.manager.close()


@pytest.fixture
async def data(node: Node) -> Path:
    """The files of one server; ``data.parent.name`` is its id."""
    managed = await node.create(limits=Limits(disk_mb=1))
    data = managed.server.layout.data
    (data / "config").mkdir()
    (data / "server.properties").write_text("motd=hi\n")
    (data / "config" / "a.yml").write_text("a: 1\n")
    return data


@pytest.fixture
def ask(node: Node, data: Path) -> Ask:
    """Call a method as it comes over the link; the server is the one of ``data`` unless named."""
    dispatcher = Dispatcher(node.context, handlers.HANDLERS)
    counter = iter(range(10**6))

    async def ask(method: str, **params: Any) -> Any:
        if "upload" not in params:
            params.setdefault("server_id", data.parent.name)
        wire = msgspec.json.decode(msgspec.json.encode(params))
        reply = await dispatcher.answer(Call(str(next(counter)), f"files.{method}", wire, 10.0))
        if reply.error is not None:
            raise Refused(reply.error.kind, reply.error.code, reply.error.message)
        return reply.result

    return ask


async def put(ask: Ask, path: str, content: bytes, **begin: Any) -> Any:
    """Upload a file in one chunk."""
    upload = (await ask("write_begin", path=path, **begin))["upload"]
    await ask("write_chunk", upload=upload, offset=0, data=content)
    return await ask("write_commit", upload=upload, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def parts(data: Path) -> list[str]:
    """Temporary files anywhere below."""
    return [str(path) for path in data.rglob(".stellar-*")]


async def test_a_listing_describes_everything(ask: Ask, data: Path) -> None:
    (data / "plugin.jar").write_bytes(b"PK")
    (data / "link").symlink_to("/etc/passwd")
    os.mkfifo(data / "fifo")
    (data / "run.sh").write_text("x")
    (data / "run.sh").chmod(0o755)
    os.utime(data / "run.sh", (1_700_000_000, 1_700_000_000))
    listed = await ask("list", path="")
    entries = {entry["name"]: entry for entry in listed["entries"]}
    assert list(entries) == ["config", "fifo", "link", "plugin.jar", "run.sh", "server.properties"]
    assert listed["total"] == 6
    assert [entries[name]["kind"] for name in ("config", "fifo", "link", "run.sh")] == [
        "directory",
        "other",
        "symlink",
        "file",
    ]
    assert entries["run.sh"]["mode"] == "0755"
    assert entries["run.sh"]["modified"] == "2023-11-14T22:13:20Z"
    assert [name for name, entry in entries.items() if entry["editable"]] == ["run.sh", "server.properties"]
    assert await ask("stat", path="run.sh") == entries["run.sh"]
    page = await ask("list", path="/", offset=1, limit=2)
    assert ([entry["name"] for entry in page["entries"]], page["total"]) == (["fifo", "link"], 6)


async def test_names_that_are_not_text_go_both_ways(ask: Ask, data: Path) -> None:
    (data / "config" / "a.yml").unlink()
    (data / "config" / os.fsdecode(b"caf\xe9\n")).write_text("x")
    [entry] = (await ask("list", path="config"))["entries"]
    path = f"config/{entry['name']}"
    assert (await ask("read", path=path))["data"] == b"x"
    await ask("rename", **{"from": path, "to": path + "2"})
    await ask("delete", paths=[path + "2"])
    assert list((data / "config").iterdir()) == []


async def test_times_beyond_any_calendar(ask: Ask, data: Path) -> None:
    os.utime(data / "server.properties", ns=(2**62, 2**62))
    os.utime(data / "config", (-(10**9), -(10**9)))
    assert len((await ask("list", path=""))["entries"]) == 2


async def test_reading_in_pieces(ask: Ask, data: Path) -> None:
    content = os.urandom(MAX_CHUNK + 1000)
    (data / "world.dat").write_bytes(content)
    first = await ask("read", path="world.dat")
    assert (len(first["data"]), first["size"], first["end"]) == (MAX_CHUNK, len(content), False)
    rest = await ask("read", path="world.dat", offset=MAX_CHUNK, limit=5000)
    assert first["data"] + rest["data"] == content
    assert (rest["end"], rest["version"]) == (True, first["version"])
    beyond = await ask("read", path="world.dat", offset=10**15)
    assert (beyond["data"], beyond["end"]) == (b"", True)
    (data / "world.dat").write_bytes(content + b"x")
    assert (await ask("read", path="world.dat"))["version"] != first["version"]
    (data / "empty").touch()
    assert (await ask("read", path="empty"))["end"] is True


@pytest.mark.parametrize(
    "params", [{"limit": MAX_CHUNK + 1}, {"limit": 0}, {"offset": -1}, {"offset": "x"}, {"more": 1}, {"path": None}]
)
async def test_mistyped_parameters_are_refused(ask: Ask, params: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        await ask("read", **{"path": "server.properties", **params})
    assert caught.value.kind == "invalid"


def every_call(path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each method that takes a path, aimed at ``path``."""
    for method in ("list", "stat", "read", "write_begin", "folder"):
        yield method, {"path": path}
    yield "delete", {"paths": [path]}
    yield "rename", {"from": path, "to": "new"}
    yield "rename", {"from": "server.properties", "to": path}


@pytest.mark.parametrize("path", ["../secret", "config/../../secret", "a\0b", "out/secret", "x" * 300])
async def test_no_call_leaves_the_server(ask: Ask, data: Path, path: str) -> None:
    secret = data.parent / "secret"
    secret.write_text("outside")
    (data / "out").symlink_to("..")
    for method, params in every_call(path):
        with pytest.raises(Refused) as caught:
            await ask(method, **params)
        assert caught.value.kind in ("invalid", "conflict"), method
    assert secret.read_text() == "outside"
    assert sorted(path.name for path in data.iterdir()) == ["config", "out", "server.properties"]


async def test_links_and_special_files_are_not_read_or_written(ask: Ask, data: Path) -> None:
    (data / "link").symlink_to("/etc/passwd")
    (data / "magic").symlink_to("/proc/self/root/etc/passwd")
    os.mkfifo(data / "fifo")
    for name in ("link", "magic", "fifo"):
        for method in ("read", "write_begin"):
            with pytest.raises(Refused) as caught:
                await ask(method, path=name)
            assert caught.value.kind in ("invalid", "conflict")
    await ask("delete", paths=["link", "magic", "fifo"])
    assert Path("/etc/passwd").exists()
    assert parts(data) == []


async def test_another_server_is_not_there(ask: Ask) -> None:
    for server_id in ("nobody", "..", "", "../agent"):
        for method, params in every_call("server.properties"):
            with pytest.raises(Refused) as caught:
                await ask(method, **params, server_id=server_id)
            assert caught.value.kind == "conflict"


async def test_an_upload_appears_whole(ask: Ask, data: Path, node: Node) -> None:
    content = os.urandom(2 * MAX_CHUNK + 7)
    upload = (await ask("write_begin", path="mods/new/a.bin", size=len(content)))["upload"]
    for offset in range(0, len(content), MAX_CHUNK):
        chunk = base64.b64encode(content[offset : offset + MAX_CHUNK]).decode()
        await ask("write_chunk", upload=upload, offset=offset, data=chunk)
        assert not (data / "mods/new/a.bin").exists()
    entry = await ask("write_commit", upload=upload, size=len(content))
    assert (entry["name"], entry["size"]) == ("a.bin", len(content))
    assert (data / "mods/new/a.bin").read_bytes() == content
    assert parts(data) == []
    assert list((node.context.data / "uploads").iterdir()) == []
    with pytest.raises(Refused) as caught:
        await ask("write_chunk", upload=upload, offset=0, data=b"x")
    assert caught.value.kind == "not_found"


@pytest.mark.parametrize(
    ("offset", "size", "digest"),
    [(1, 5, None), (-1, 5, None), (0, 6, None), (0, 10**9, None), (0, 5, "0" * 64), (0, 5, "x")],
    ids=["gap", "negative", "size", "claim", "digest", "no digest"],
)
async def test_a_wrong_upload_leaves_the_old_file(
    ask: Ask, data: Path, offset: int, size: int, digest: str | None
) -> None:
    upload = (await ask("write_begin", path="server.properties"))["upload"]
    with pytest.raises(Refused) as caught:
        await ask("write_chunk", upload=upload, offset=offset, data=b"hello")
        await ask("write_commit", upload=upload, size=size, sha256=digest)
    assert caught.value.kind in ("invalid", "conflict")
    await ask("write_abort", upload=upload)
    await ask("write_abort", upload=upload)
    assert (data / "server.properties").read_text() == "motd=hi\n"
    assert parts(data) == []


async def test_a_chunk_sent_twice_is_refused(ask: Ask, data: Path) -> None:
    upload = (await ask("write_begin", path="a"))["upload"]
    await ask("write_chunk", upload=upload, offset=0, data=b"hello")
    with pytest.raises(Refused, match="byte 5"):
        await ask("write_chunk", upload=upload, offset=0, data=b"hello")
    with pytest.raises(Refused):
        await ask("write_chunk", upload=upload, offset=5, data=b"x" * (MAX_CHUNK + 1))
    await ask("write_commit", upload=upload, size=5)
    assert (data / "a").read_bytes() == b"hello"


async def test_two_who_write_the_same_file(ask: Ask, data: Path) -> None:
    first, second = [(await ask("write_begin", path="server.properties"))["upload"] for _ in range(2)]

    async def write(upload: str, letter: bytes) -> None:
        for number in range(20):
            await ask("write_chunk", upload=upload, offset=number * 1000, data=letter * 1000)

    await asyncio.gather(write(first, b"1"), write(second, b"2"))
    await ask("write_commit", upload=first, size=20_000)
    assert (data / "server.properties").read_bytes() == b"1" * 20_000
    await ask("write_commit", upload=second, size=20_000)
    assert (data / "server.properties").read_bytes() == b"2" * 20_000


async def test_the_disk_limit(ask: Ask, data: Path, node: Node) -> None:
    megabyte = 1024 * 1024
    with pytest.raises(Refused) as caught:
        await ask("write_begin", path="huge", size=2 * megabyte)
    assert caught.value.code == "disk_limit"
    assert not (data / "huge").exists()
    upload = (await ask("write_begin", path="huge", size=1))["upload"]
    chunk = b"x" * MAX_CHUNK
    with pytest.raises(Refused, match="disk limit"):
        for number in range(5):
            await ask("write_chunk", upload=upload, offset=number * MAX_CHUNK, data=chunk)
    await ask("write_abort", upload=upload)
    await put(ask, "half", b"x" * MAX_CHUNK, size=MAX_CHUNK)
    other = (await ask("write_begin", path="reserved", size=2 * MAX_CHUNK))["upload"]
    with pytest.raises(Refused, match="disk limit"):
        await ask("write_begin", path="more", size=2 * MAX_CHUNK)
    await ask("write_abort", upload=other)
    await put(ask, "half", b"y" * MAX_CHUNK, size=MAX_CHUNK)
    assert parts(data) == []


async def test_no_limit_means_none(ask: Ask, node: Node) -> None:
    free = await node.create(limits=Limits())
    await ask("write_begin", path="huge", size=10**15, server_id=free.server.id)


async def test_only_existing_files_without_the_right_to_create(ask: Ask, data: Path) -> None:
    for path in ("new", "new/er/file"):
        with pytest.raises(Refused) as caught:
            await ask("write_begin", path=path, create=False)
        assert caught.value.kind == "forbidden"
    await put(ask, "server.properties", b"x", create=False)
    assert sorted(path.name for path in data.iterdir()) == ["config", "server.properties"]


async def test_abandoned_uploads_are_dropped(ask: Ask, data: Path, node: Node) -> None:
    uploads = node.context.get(Uploads)
    upload = (await ask("write_begin", path="a"))["upload"]
    await uploads.expire(time.monotonic() + IDLE_SECONDS - 60)
    await ask("write_chunk", upload=upload, offset=0, data=b"still there")
    assert len(parts(data)) == 1
    await uploads.expire(time.monotonic() + IDLE_SECONDS + 60)
    assert parts(data) == []
    with pytest.raises(Refused):
        await ask("write_chunk", upload=upload, offset=11, data=b"x")


async def test_uploads_of_an_agent_that_was_killed_are_deleted(ask: Ask, data: Path, node: Node) -> None:
    for path in ("a", "config/b", "gone/c"):
        await ask("write_begin", path=path)
    notes = node.context.data / "uploads"
    assert len(parts(data)) == len(list(notes.iterdir())) == 3
    (data / "gone").rename(data / "away")
    (notes / "garbage").write_bytes(b"{")
    (notes / "elsewhere").write_bytes(msgspec.json.encode({"server_id": data.parent.name, "part": "../secret"}))
    (data.parent / "secret").touch()
    await handlers.start(node.context)
    assert len(parts(data)) == 1
    assert list(notes.iterdir()) == []
    assert (data.parent / "secret").exists()
    assert (data / "server.properties").exists()


async def test_a_caller_that_goes_away_breaks_nothing(ask: Ask, data: Path, node: Node) -> None:
    async def nothing_left() -> bool:
        await node.context.get(Uploads).expire(time.monotonic() + 2 * IDLE_SECONDS)
        return parts(data) == []

    for _ in range(MAX_OPEN_PER_SERVER - 2):
        task = asyncio.create_task(ask("write_begin", path="a"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    upload = (await ask("write_begin", path="b"))["upload"]
    task = asyncio.create_task(ask("write_chunk", upload=upload, offset=0, data=b"x" * 1000))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ask("write_abort", upload=upload)
    await wait_for(nothing_left)


async def test_too_many_uploads(ask: Ask, data: Path) -> None:
    results = await asyncio.gather(
        *(ask("write_begin", path=f"f{number}") for number in range(MAX_OPEN_PER_SERVER + 5)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, Refused)]
    assert len(refused) == 5
    assert {error.kind for error in refused} == {"unavailable"}


async def test_a_full_disk(node: Node, ask: Ask, data: Path) -> None:
    full = await node.create(limits=Limits())
    disk = full.server.layout.data
    with small_disk(disk):
        await put(ask, "file", b"old", server_id=full.server.id)
        with pytest.raises(Refused) as caught:
            await put(ask, "file", b"x" * 100_000, server_id=full.server.id)
        assert (caught.value.kind, caught.value.code) == ("unavailable", "disk_full")
        assert (disk / "file").read_bytes() == b"old"
        await node.context.get(Uploads).close()
        assert parts(disk) == []


async def test_folders_renames_and_deletes(ask: Ask, data: Path) -> None:
    assert (await ask("folder", path="a/b"))["name"] == "b"
    assert (await ask("rename", **{"from": "server.properties", "to": "a/b/c.properties"}))["name"] == "c.properties"
    for source, target, kind in (("a", "config", "conflict"), ("x", "y", "not_found"), ("a", "a/b/d", "invalid")):
        with pytest.raises(Refused) as caught:
            await ask("rename", **{"from": source, "to": target})
        assert caught.value.kind == kind
    with pytest.raises(Refused):
        await ask("folder", path="a")
    await ask("delete", paths=["a", "config/a.yml"])
    assert [path.name for path in data.rglob("*")] == ["config"]
    for paths in ([], ["x"] * (MAX_PATHS + 1), ["missing"], [""], ["."]):
        with pytest.raises(Refused):
            await ask("delete", paths=paths)
    assert data.is_dir()


async def test_a_server_that_is_being_removed(ask: Ask, data: Path, node: Node) -> None:
    upload = (await ask("write_begin", path="a"))["upload"]
    await node.manager.remove(data.parent.name)
    with pytest.raises((Refused, DomainError)):
        await ask("write_chunk", upload=upload, offset=0, data=b"x")
        await ask("write_commit", upload=upload, size=1)
    with pytest.raises(Refused):
        await ask("list", path="")
