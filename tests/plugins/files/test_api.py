"""The API of files, over a real web server, bus and node."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from file_parts import Site

from stellar.audit import list_page
from stellar.plugins.files.calls import MAX_CHUNK
from stellar.plugins.servers.models import Server
from stellar.testing.waiting import wait_until

MEGABYTE = 1024 * 1024


def put(site: Site, path: str, content: Any, client: httpx.Client | None = None, **options: Any) -> httpx.Response:
    return (client or site.ada).put(f"{site.url}/content", params={"path": path}, content=content, **options)


def get(site: Site, path: str, client: httpx.Client | None = None) -> httpx.Response:
    return (client or site.ada).get(f"{site.url}/content", params={"path": path})


def code(answer: httpx.Response, status: int) -> str:
    """The problem's code, once its status is checked."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    return str(answer.json()["code"])


def parts(site: Site) -> list[Path]:
    """What is left of uploads."""
    return list(site.data.rglob(".stellar-*"))


def test_the_whole_road(site: Site) -> None:
    content = os.urandom(MEGABYTE + 12345)
    made = site.ada.post(f"{site.url}/folder", json={"path": "mods/extra"})
    assert (made.status_code, made.json()["kind"]) == (201, "directory")
    sent = put(site, "mods/extra/a b+c.bin", content)
    assert (sent.status_code, sent.json()["size"]) == (200, len(content))
    listed = site.ada.get(site.url, params={"path": "mods/extra"}).json()
    assert (listed["path"], listed["total"], listed["offset"]) == ("mods/extra", 1, 0)
    assert listed["entries"] == [sent.json()]
    moved = site.ada.post(f"{site.url}/rename", json={"from": "mods/extra/a b+c.bin", "to": "b.bin"})
    assert moved.json()["name"] == "b.bin"
    found = get(site, "b.bin")
    assert hashlib.sha256(found.content).digest() == hashlib.sha256(content).digest()
    assert found.headers["Content-Length"] == str(len(content))
    gone = site.ada.delete(site.url, params={"path": ["mods", "b.bin"]})
    assert gone.status_code == 204
    assert site.ada.get(site.url).json()["entries"] == []
    assert list(site.data.iterdir()) == []


def test_a_short_id_will_do(site: Site) -> None:
    assert site.ada.get("/api/v1/servers/abcd1234/files").status_code == 200


def test_every_change_is_in_the_audit_log(site: Site) -> None:
    put(site, "a.txt", b"hello")
    site.ada.post(f"{site.url}/folder", json={"path": "f"})
    site.ada.post(f"{site.url}/rename", json={"from": "a.txt", "to": "b.txt"})
    site.ada.delete(site.url, params={"path": ["b.txt", "f"]})
    put(site, "../a.txt", b"hello")
    lines = [(line.action, line.details) for line in list_page(target_type="server").entries if "files" in line.action]
    assert lines == [
        ("files.delete", {"paths": ["b.txt", "f"]}),
        ("files.rename", {"from": "a.txt", "to": "b.txt"}),
        ("files.folder", {"path": "f"}),
        ("files.write", {"path": "a.txt", "size": 5}),
    ]


@pytest.mark.parametrize("name", ["page.html", "image.svg", 'a"\r\nX-Evil: 1.txt', "日本.txt", "script.js"])
def test_a_download_is_never_a_page(site: Site, name: str) -> None:
    assert put(site, name, b"<script>alert(1)</script>").status_code == 200
    found = get(site, name)
    assert found.content == b"<script>alert(1)</script>"
    assert found.headers["Content-Type"] == "application/octet-stream"
    assert found.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in found.headers["Content-Security-Policy"]
    assert "X-Evil" not in found.headers
    assert found.headers["ETag"]


def test_an_empty_file(site: Site) -> None:
    assert put(site, "empty", b"").json()["size"] == 0
    found = get(site, "empty")
    assert (found.status_code, found.content, found.headers["Content-Length"]) == (200, b"", "0")


def test_an_upload_without_a_length(site: Site) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(10):
            yield b"x" * 50_000

    assert put(site, "streamed", pieces()).json()["size"] == 500_000
    assert (site.data / "streamed").read_bytes() == b"x" * 500_000


BAD_PATHS = ["..", "../secret", "a/../../secret", "a\0b", "out/secret", "x" * 300, "x" * 5000, ""]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_bad_paths_change_nothing(site: Site, path: str) -> None:
    secret = site.data.parent / "secret"
    secret.write_bytes(b"hush")
    (site.data / "out").symlink_to("..")
    (site.data / "file").touch()
    answers = [
        put(site, path, b"evil"),
        get(site, path),
        site.ada.delete(site.url, params={"path": path}),
        site.ada.post(f"{site.url}/folder", json={"path": path}),
        site.ada.post(f"{site.url}/rename", json={"from": path, "to": "new"}),
        site.ada.post(f"{site.url}/rename", json={"from": "file", "to": path}),
    ]
    if path:
        answers.append(site.ada.get(site.url, params={"path": path}))
    for answer in answers:
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.json()["detail"]
        assert b"hush" not in answer.content
    assert secret.read_bytes() == b"hush"
    assert sorted(one.name for one in site.data.iterdir()) == ["file", "out"]


def test_links_out_and_magic_links(site: Site) -> None:
    (site.data / "passwd").symlink_to("/etc/passwd")
    (site.data / "magic").symlink_to("/proc/self/root/etc/passwd")
    os.mkfifo(site.data / "fifo")
    before = Path("/etc/passwd").read_bytes()
    for name in ("passwd", "magic", "fifo"):
        assert code(get(site, name), 422)
        assert code(put(site, name, b"evil"), 422)
    assert Path("/etc/passwd").read_bytes() == before


def test_wrong_targets(site: Site) -> None:
    (site.data / "folder").mkdir()
    (site.data / "file").write_text("old")
    assert code(get(site, "nothing"), 404) == "not_found"
    assert code(get(site, "folder"), 409) == "is_a_directory"
    assert code(put(site, "folder", b"x"), 409) == "is_a_directory"
    assert code(put(site, "file/below", b"x"), 409) == "not_a_directory"
    assert code(site.ada.get(site.url, params={"path": "file"}), 409) == "not_a_directory"
    assert code(site.ada.post(f"{site.url}/folder", json={"path": "file"}), 409) == "exists"
    rename = {"from": "file", "to": "folder"}
    assert code(site.ada.post(f"{site.url}/rename", json=rename), 409) == "exists"
    assert (site.data / "file").read_text() == "old"


@pytest.mark.parametrize(
    ("method", "part", "options"),
    [
        ("POST", "/rename", {"json": {"from": "a"}}),
        ("POST", "/rename", {"json": {"from": "a", "to": 5}}),
        ("POST", "/rename", {"json": {"from": "a", "to": "b", "more": 1}}),
        ("POST", "/folder", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        ("POST", "/folder", {"content": b'{"path": "\xff"}', "headers": {"Content-Type": "application/json"}}),
        ("GET", "", {"params": {"limit": "501"}}),
        ("GET", "", {"params": {"offset": "-1"}}),
        ("GET", "/content", {}),
        ("PUT", "/content", {"content": b"x"}),
        ("PUT", "/content", {"content": b"x", "params": {"path": ["a", "b"]}}),
        ("DELETE", "", {}),
        ("DELETE", "", {"params": {"path": ["x"] * 101}}),
    ],
)
def test_mistyped_requests(site: Site, method: str, part: str, options: dict[str, Any]) -> None:
    answer = site.ada.request(method, f"{site.url}{part}", **options)
    assert answer.status_code in (400, 422), answer.text
    assert list(site.data.iterdir()) == []


def test_an_upload_over_the_limit(site: Site) -> None:
    (site.data / "file").write_text("old")
    assert code(put(site, "file", b"x" * (2 * MEGABYTE + 1)), 413) == "too_large"

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    assert put(site, "file", endless()).status_code == 413
    assert (site.data / "file").read_text() == "old"
    assert parts(site) == []


def test_the_disk_limit(site: Site) -> None:
    (site.data / "full").write_bytes(os.urandom(7 * MEGABYTE))
    assert code(put(site, "more", b"x" * 2 * MEGABYTE), 409) == "disk_limit"
    assert not (site.data / "more").exists()
    assert put(site, "little", b"x").status_code == 200


def test_over_the_disk_limit_only_deleting_is_left(site: Site) -> None:
    (site.data / "full").write_bytes(os.urandom(9 * MEGABYTE))
    assert code(put(site, "little", b"x"), 409) == "disk_limit"
    assert code(site.ada.post(f"{site.url}/folder", json={"path": "new"}), 409) == "disk_limit"
    assert site.ada.delete(site.url, params={"path": "full"}).status_code == 204
    assert put(site, "little", b"x").status_code == 200
    assert site.ada.post(f"{site.url}/folder", json={"path": "new"}).status_code in (200, 201)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_client_that_leaves_in_the_middle(site: Site, chunked: bool) -> None:
    (site.data / "file").write_text("old")
    address = urlsplit(site.web.url)
    cookie = site.ada.cookies["stellar_session"]
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {MEGABYTE}"
    head = (
        f"PUT {site.url}/content?path=file HTTP/1.1\r\nHost: {address.netloc}\r\nCookie: stellar_session={cookie}\r\n"
        f"X-CSRF-Token: {site.ada.headers['X-CSRF-Token']}\r\n{length}\r\n\r\n"
    )
    piece = b"x" * (MAX_CHUNK + 1000)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(head.encode())
        client.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        wait_until(lambda: "files.write_chunk" in site.node.calls)
        assert len(parts(site)) == 1
    wait_until(lambda: not parts(site), what="the end of the upload")
    assert "files.write_commit" not in site.node.calls
    assert (site.data / "file").read_text() == "old"


def test_a_log_that_grows_while_it_is_downloaded(site: Site) -> None:
    log = site.data / "latest.log"
    log.write_bytes(b"a" * 3 * MEGABYTE)
    with site.ada.stream("GET", f"{site.url}/content", params={"path": "latest.log"}) as answer:
        with log.open("ab") as file:
            file.write(b"b" * 1000)
        assert b"".join(answer.iter_bytes()) == b"a" * 3 * MEGABYTE


def test_a_file_that_is_replaced_while_it_is_downloaded(site: Site) -> None:
    # Larger than what the sockets between server and client can hold.
    (site.data / "world").write_bytes(b"a" * 32 * MEGABYTE)
    with (
        pytest.raises(httpx.RemoteProtocolError),
        site.ada.stream("GET", f"{site.url}/content", params={"path": "world"}) as answer,
    ):
        (site.data / "other").write_bytes(b"b" * 32 * MEGABYTE)
        (site.data / "other").rename(site.data / "world")
        for _ in answer.iter_bytes():
            pass


def test_strangers_and_nobody(site: Site) -> None:
    (site.data / "file").write_text("old")
    with site.web.signed_in("bob@example.com") as bob, site.web.client() as nobody:
        for client, status in ((bob, 404), (nobody, 401)):
            answers = [
                client.get(site.url),
                get(site, "file", client),
                put(site, "file", b"evil", client),
                client.delete(site.url, params={"path": "file"}),
                client.post(f"{site.url}/rename", json={"from": "file", "to": "x"}),
                client.post(f"{site.url}/folder", json={"path": "x"}),
            ]
            assert [answer.status_code for answer in answers] == [status] * 6
    with site.web.signed_in("root@example.com", "admin") as admin:
        assert get(site, "file", admin).text == "old"
    assert [one.name for one in site.data.iterdir()] == ["file"]


def test_a_change_needs_the_csrf_token(site: Site) -> None:
    del site.ada.headers["X-CSRF-Token"]
    assert put(site, "file", b"x").status_code == 403
    assert site.ada.delete(site.url, params={"path": "file"}).status_code == 403
    assert site.node.calls == []


def test_a_suspended_server(site: Site) -> None:
    Server.update(suspended=True).where(Server.id == site.server_id).execute()
    for answer in (site.ada.get(site.url), put(site, "file", b"x"), get(site, "file")):
        assert code(answer, 409) == "suspended"
    assert site.node.calls == []


def test_a_node_that_is_away(site: Site) -> None:
    site.node.leave()
    for answer in (site.ada.get(site.url), put(site, "file", b"x"), get(site, "file")):
        assert code(answer, 503) == "node_unreachable"


def test_a_large_directory_comes_in_pages(site: Site) -> None:
    for number in range(620):
        (site.data / f"{number:04d}").touch()
    first = site.ada.get(site.url).json()
    assert (len(first["entries"]), first["total"]) == (500, 620)
    rest = site.ada.get(site.url, params={"offset": 500}).json()
    assert [entry["name"] for entry in rest["entries"]] == [f"{number:04d}" for number in range(500, 620)]


def test_names_that_are_not_text(site: Site) -> None:
    (site.data / os.fsdecode(b"caf\xe9")).write_text("x")
    [entry] = site.ada.get(site.url).json()["entries"]
    assert get(site, entry["name"]).text == "x"
    assert site.ada.delete(site.url, params={"path": entry["name"]}).status_code == 204
    assert list(site.data.iterdir()) == []


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(site: Site) -> None:
    assert put(site, "a.txt", b"one").status_code == 200
    seen = get(site, "a.txt").headers["ETag"]
    saved = put(site, "a.txt", b"two", headers={"If-Match": seen})
    assert saved.status_code == 200, saved.text
    assert saved.headers["ETag"] == get(site, "a.txt").headers["ETag"] == f'"{saved.json()["version"]}"' != seen
    listed = site.ada.get(site.url, params={"path": ""}).json()["entries"]
    assert [entry["version"] for entry in listed if entry["name"] == "a.txt"] == [saved.json()["version"]]
    for tags in (seen, f"W/{saved.headers['ETag']}", '"', "", "x", f'{seen}, "nothing"'):
        assert code(put(site, "a.txt", b"late", headers={"If-Match": tags}), 412) == "changed", tags
    assert get(site, "a.txt").content == b"two"
    assert put(site, "a.txt", b"three", headers={"If-Match": f"{seen}, {saved.headers['ETag']}"}).status_code == 200
    assert put(site, "a.txt", b"four", headers={"If-Match": "*"}).status_code == 200
    assert code(put(site, "new.txt", b"x", headers={"If-Match": "*"}), 412) == "changed"
    assert code(get(site, "new.txt"), 404) == "not_found"
    assert parts(site) == []


def test_of_two_who_have_seen_the_same_file_one_replaces_it(site: Site) -> None:
    assert put(site, "b.txt", b"one").status_code == 200
    seen = get(site, "b.txt").headers["ETag"]

    def save(number: int) -> int:
        return put(site, "b.txt", b"%d" % number * 1000, headers={"If-Match": seen}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(save, range(8))) == [200, *[412] * 7]
