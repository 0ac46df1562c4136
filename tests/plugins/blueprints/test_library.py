"""Making, changing, importing, exporting and deleting blueprints through the API. On SQLite and PostgreSQL."""

from __future__ import annotations

import base64
import io
import stat
import struct
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from full_panel import full_panel
from web_parts import WebServer

from stellar.audit import Entry
from stellar.auth import users
from stellar.db.fields import new_id
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.blueprints.service import BUILTIN, sync_builtin
from stellar.plugins.nodes.models import Node
from stellar.plugins.servers.models import Server

API = "/api/v1/blueprints"
PLAIN = """format = 1
name = "mine"
title = "Mine"
description = "A game."
category = "other"
[runtimes.process]
[startup]
command = "exec game {{SERVER_PORT}}"
"""
ICON = b'<svg xmlns="http://www.w3.org/2000/svg"><circle r="3"/></svg>'
SCRIPT = b"echo installing\n"
RICH = PLAIN.replace("[runtimes", 'icon = "icon.svg"\n[install]\nfile = "install.sh"\n[runtimes', 1)
FILES = {"blueprint.toml": RICH.encode(), "icon.svg": ICON, "install.sh": SCRIPT}
TOML = {"Content-Type": "application/toml"}
ZIP = {"Content-Type": "application/zip"}


@pytest.fixture
def web(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[WebServer]:
    with full_panel(tmp_path, redis_url, database_url) as server:
        yield server


@pytest.fixture
def admin(web: WebServer) -> Iterator[httpx.Client]:
    with web.signed_in("admin@example.com", "admin") as client:
        yield client


def zipped(files: dict[str, bytes], **options: Any) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **{"compression": zipfile.ZIP_DEFLATED, **options}) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def base64d(files: dict[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(data).decode() for name, data in files.items()}


def stored() -> set[tuple[str, str]]:
    return {(row.name, row.digest) for row in Blueprint.select()}


def use(blueprint: str, count: int) -> None:
    owner = users.create("owner@example.com", "correct horse battery")
    node = Node.create(name="attic", address="", port_start=30000, port_end=30010)
    for _ in range(count):
        Server.create(
            short_id=new_id()[:8],
            name="world",
            owner=owner,
            node=node,
            blueprint=Blueprint.get(Blueprint.name == blueprint),
            runtime="process",
            memory_mb=128,
            cpu_percent=0,
            disk_mb=0,
            install_id=new_id(),
        )


def test_made_from_toml_and_from_json_it_is_the_same(admin: httpx.Client) -> None:
    made = admin.post(API, json={"toml": PLAIN})
    assert made.status_code == 201, made.text
    assert (made.json()["builtin"], made.json()["modified"], made.json()["source"]) == (False, False, PLAIN)
    shown = admin.get(f"{API}/mine").json()
    assert shown == made.json()
    document = {**tomllib.loads(PLAIN), "name": "second", "stop": None}
    second = admin.post(API, json={"document": document}).json()
    assert tomllib.loads(second["source"]) == {**tomllib.loads(PLAIN), "name": "second"}
    differing = ("id", "name", "source", "icon_url", "created_at", "updated_at")
    assert {key: value for key, value in second.items() if key not in differing} == {
        key: value for key, value in shown.items() if key not in differing
    }
    taken = admin.post(API, json={"toml": PLAIN})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")


@pytest.mark.parametrize("name", ["luanti", "minecraft-js", "teeworlds", "generic"])
def test_every_builtin_survives_json(admin: httpx.Client, name: str) -> None:
    document = tomllib.loads((BUILTIN / name / "blueprint.toml").read_text())
    document = dict(reversed(document.items())) | {"name": "copy"}
    named = [path for path in (BUILTIN / name).iterdir() if path.name != "blueprint.toml"]
    files = base64d({path.name: path.read_bytes() for path in named})
    made = admin.post(API, json={"document": document, "files": files})
    assert made.status_code == 201, made.text
    assert tomllib.loads(made.json()["source"]) == document
    original, copy = admin.get(f"{API}/{name}").json(), made.json()
    for key in ("startup", "stop", "config", "variables", "ports", "resources", "install_script", "runtimes"):
        assert copy[key] == original[key], key


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "toml"),
        ({"toml": PLAIN, "document": {}}, "toml"),
        ({"toml": PLAIN, "builtin": True}, "builtin"),
        ({"toml": PLAIN, "id": "x"}, "id"),
        ({"toml": PLAIN + "unknown = 1"}, "startup.unknown"),
        ({"toml": PLAIN.replace("mine", "Mine!")}, "name"),
        ({"toml": PLAIN.replace("mine", "../mine")}, "name"),
        ({"toml": PLAIN.replace("mine", "00000000-0000-0000-0000-000000000000")}, "name"),
        ({"toml": PLAIN.replace('"other"', '"others"')}, "category"),
        ({"toml": "= nonsense"}, None),
        ({"document": {"format": 1}}, "name"),
        ({"document": {**tomllib.loads(PLAIN), "owner": "x"}}, "owner"),
        ({"document": {**tomllib.loads(PLAIN), "install": {"script": "a\u0001\u0000"}}}, None),
        ({"document": []}, "document"),
        ({"toml": RICH}, "icon"),
        ({"toml": RICH.replace("icon.svg", "../icon.svg"), "files": base64d({"../icon.svg": ICON})}, "icon"),
        ({"toml": PLAIN, "files": base64d({"other.txt": b"x"})}, "files.other.txt"),
        ({"toml": PLAIN, "files": {"icon.svg": "not base64!"}}, "files[...]"),
        ({"toml": PLAIN, "files": base64d({f"f{n}": b"" for n in range(9)})}, "files"),
        ({"toml": RICH, "files": base64d({"icon.svg": b"<svg onload='x'/>", "install.sh": SCRIPT})}, "icon"),
        ({"toml": RICH, "files": base64d({"icon.svg": ICON, "install.sh": b"x" * 70_000})}, "install.file"),
    ],
)
def test_bad_blueprints_are_refused(admin: httpx.Client, body: dict[str, Any], field: str | None) -> None:
    before = stored()
    for refused in (admin.post(API, json=body), admin.put(f"{API}/generic", json=body)):
        assert refused.status_code == 422, refused.text
        if field is not None:
            assert field in refused.json()["errors"]
    assert stored() == before


def test_a_document_nested_without_end_is_refused(admin: httpx.Client) -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    data = '{"document":{"name":' + deep + "}}"
    refused = admin.post(API, content=data, headers={"Content-Type": "application/json"})
    assert refused.status_code in (400, 422)
    assert admin.post(API, json={"toml": "x" * 2_000_000}).status_code == 413


def test_an_own_blueprint_is_replaced_and_keeps_its_files(admin: httpx.Client) -> None:
    files = base64d({"icon.svg": ICON, "install.sh": SCRIPT})
    made = admin.post(API, json={"toml": RICH, "files": files}).json()
    changed = admin.put(f"{API}/mine", json={"toml": RICH.replace("Mine", "Ours").replace('"mine"', '"ours"')})
    assert changed.status_code == 200, changed.text
    shown = changed.json()
    assert (shown["id"], shown["name"], shown["title"], shown["modified"]) == (made["id"], "ours", "Ours", False)
    assert shown["install_script"] == SCRIPT.decode()
    assert admin.get(shown["icon_url"]).content == ICON
    taken = admin.put(f"{API}/ours", json={"toml": PLAIN.replace('"mine"', '"generic"')})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")


def test_a_builtin_becomes_an_own_copy_and_can_be_restored(admin: httpx.Client) -> None:
    before = admin.get(f"{API}/luanti").json()
    assert admin.post(f"{API}/luanti/restore").status_code == 409
    renamed = admin.put(f"{API}/luanti", json={"toml": before["source"].replace('"luanti"', '"mine"', 1)})
    assert renamed.status_code == 422 and "name" in renamed.json()["errors"]
    changed = admin.put(f"{API}/luanti", json={"toml": before["source"].replace("title = ", "title = 'X' #", 1)})
    assert changed.status_code == 200, changed.text
    shown = changed.json()
    assert (shown["builtin"], shown["modified"], shown["title"]) == (False, True, "X")
    assert shown["install_script"] == before["install_script"]
    sync_builtin()
    assert admin.get(f"{API}/luanti").json() == shown
    refused = admin.delete(f"{API}/luanti")
    assert refused.status_code == 409 and "restore" in refused.json()["detail"]
    restored = admin.post(f"{API}/luanti/restore").json()
    assert {**restored, "updated_at": ""} == {**before, "updated_at": ""}
    actions = [row.action for row in Entry.select().where(Entry.target_type == "blueprint").order_by(Entry.id)]
    assert actions == ["blueprint.update", "blueprint.restore"]


def test_the_same_again_changes_nothing(admin: httpx.Client) -> None:
    before = admin.get(f"{API}/luanti").json()
    assert admin.put(f"{API}/luanti", json={"toml": before["source"]}).json() == before


def test_deleting_is_refused_while_servers_use_it(admin: httpx.Client) -> None:
    admin.post(API, json={"toml": PLAIN})
    use("mine", 2)
    refused = admin.delete(f"{API}/mine")
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert "2 servers" in refused.json()["detail"]
    Server.delete().execute()
    assert admin.delete(f"{API}/mine").status_code == 204
    assert admin.get(f"{API}/mine").status_code == 404
    assert admin.delete(f"{API}/mine").status_code == 404
    builtin = admin.delete(f"{API}/generic")
    assert (builtin.status_code, builtin.json()["code"]) == (409, "builtin")


def test_servers_are_told_of_a_change(web: WebServer, admin: httpx.Client, redis_url: str) -> None:
    import redis

    admin.post(API, json={"toml": PLAIN})
    use("mine", 3)
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("queue:deployments") == 0
        assert admin.put(f"{API}/mine", json={"toml": PLAIN.replace("exec game", "exec other")}).status_code == 200
        assert client.llen("queue:deployments") == 3


def test_import_export_import_is_the_identity(admin: httpx.Client) -> None:
    imported = admin.post(f"{API}/import", content=zipped(FILES), headers=ZIP)
    assert imported.status_code == 201, imported.text
    assert imported.json()["install_script"] == SCRIPT.decode()
    first, digests = admin.get(f"{API}/mine/export"), stored()
    assert first.headers["Content-Type"] == "application/zip"
    assert first.headers["Content-Disposition"] == 'attachment; filename="mine.zip"'
    assert unzipped(first.content) == FILES
    again = admin.post(f"{API}/import", content=first.content, headers=ZIP)
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    assert admin.delete(f"{API}/mine").status_code == 204
    assert admin.post(f"{API}/import", content=first.content, headers=ZIP).status_code == 201
    assert stored() == digests
    assert admin.get(f"{API}/mine/export").content == first.content
    toml = admin.get(f"{API}/mine/export?format=toml")
    assert (toml.status_code, toml.json()["code"]) == (409, "has_files")
    assert admin.get(f"{API}/mine/export?format=exe").status_code == 422


@pytest.mark.parametrize("name", ["luanti", "minecraft-js", "teeworlds", "generic"])
def test_every_builtin_can_go_out_and_in(admin: httpx.Client, name: str) -> None:
    before = stored()
    exported = admin.get(f"{API}/{name}/export", params={"format": "zip"})
    answer = admin.post(f"{API}/import?replace=true", content=exported.content, headers=ZIP)
    assert answer.status_code == 201 and answer.json()["builtin"] is True
    assert stored() == before


def test_toml_alone_goes_in_and_out(admin: httpx.Client) -> None:
    assert admin.post(f"{API}/import", content=PLAIN, headers=TOML).status_code == 201
    exported = admin.get(f"{API}/mine/export")
    assert (exported.text, exported.headers["Content-Type"]) == (PLAIN, "application/toml")
    changed = PLAIN.replace("Mine", "Ours")
    replaced = admin.post(f"{API}/import?replace=true", content=changed, headers=TOML)
    assert (replaced.status_code, replaced.json()["title"]) == (201, "Ours")
    assert unzipped(admin.get(f"{API}/mine/export?format=zip").content) == {"blueprint.toml": changed.encode()}


@pytest.mark.parametrize(
    "files",
    [
        {"file": ("export.zip", zipped(FILES))},
        {"file": ("export.zip", zipped({f"mine/{name}": data for name, data in FILES.items()}))},
        {name: (name, data) for name, data in FILES.items()},
    ],
)
def test_a_form_brings_an_archive_or_each_file(admin: httpx.Client, files: dict[str, Any]) -> None:
    imported = admin.post(f"{API}/import", files=files, data={"ignored": "text"})
    assert imported.status_code == 201, imported.text
    assert unzipped(admin.get(f"{API}/mine/export").content) == FILES


def with_entry(name: str, *, mode: int = stat.S_IFREG | 0o644, data: bytes = b"x") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("blueprint.toml", PLAIN)
        entry = zipfile.ZipInfo("placeholder")
        entry.filename = name
        entry.external_attr = mode << 16
        archive.writestr(entry, data)
    return buffer.getvalue()


def lying(data: bytes) -> bytes:
    """An archive whose directory says that its first entry is small."""
    at = data.index(b"PK\x01\x02") + 24
    return data[:at] + struct.pack("<I", 10) + data[at + 4 :]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 nonsense",
        zipped({}),
        zipped({"other.toml": PLAIN.encode()}),
        zipped({"a/blueprint.toml": PLAIN.encode(), "b/blueprint.toml": PLAIN.encode()}),
        zipped({"a/b/blueprint.toml": PLAIN.encode()}),
        with_entry("../../etc/passwd"),
        with_entry("/etc/passwd"),
        with_entry("a/../../x"),
        with_entry("..\\x"),
        with_entry("C:x"),
        with_entry("a\u202eb"),
        with_entry("a\nb"),
        with_entry("icon.svg", mode=stat.S_IFLNK | 0o777, data=b"/etc/passwd"),
        with_entry("pipe", mode=stat.S_IFIFO | 0o644),
        with_entry("blueprint.toml"),
        zipped({"blueprint.toml": b"#" * 50_000_000}),
        lying(zipped({"blueprint.toml": b"#" * 50_000_000})),
        zipped({"blueprint.toml": PLAIN.encode(), "bomb": b"\0" * 50_000_000}),
        zipped({"blueprint.toml": PLAIN.encode(), **{f"f{n}": b"" for n in range(100)}}),
        zipped({"blueprint.toml": PLAIN.encode()}, compression=zipfile.ZIP_LZMA),
        zipped({"blueprint.toml": b"\xff\xfe"}),
        zipped({"blueprint.toml": PLAIN.encode()})[:-30],
    ],
)
def test_tricky_archives_are_refused(admin: httpx.Client, data: bytes) -> None:
    before = stored()
    for answer in (
        admin.post(f"{API}/import", content=data, headers=ZIP),
        admin.post(f"{API}/import", files={"file": ("x.zip", data)}),
    ):
        assert answer.status_code == 422, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert stored() == before


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (PLAIN.encode(), "application/xml", 415),
        (PLAIN.encode(), "image/png", 415),
        (PLAIN.encode(), "", 415),
        (b"\xff", "application/toml", 422),
        (b"a" * 300_000, "application/toml", 422),
        (b"a" * 1_200_000, "application/toml", 413),
        (b"a" * 1_200_000, "application/zip", 413),
        (b"a" * 1_200_000, "multipart/form-data; boundary=x", 413),
        (b"nonsense", "multipart/form-data; boundary=x", 422),
        (b"nonsense", "multipart/form-data", 422),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 422),
    ],
)
def test_odd_uploads_are_refused(admin: httpx.Client, content: bytes, kind: str, status: int) -> None:
    answer = admin.post(f"{API}/import", content=content, headers={"Content-Type": kind} if kind else {})
    assert answer.status_code == status, answer.text


def test_a_form_of_unknown_length_is_bounded_too(admin: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
        for _ in range(40):
            yield b"a" * 50_000
        yield b"\r\n--x--\r\n"

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    try:
        status = admin.post(f"{API}/import", content=chunks(), headers=kind).status_code
    except httpx.TransportError:
        status = 413
    assert status == 413
