"""Importing, exporting and updating eggs through the API. On SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from egg_parts import egg, real_eggs, variable
from full_panel import full_panel
from source_parts import Source
from web_parts import WebServer

from stellar.plugins.blueprints.models import Blueprint

API = "/api/v1/blueprints"


@pytest.fixture
def web(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[WebServer]:
    settings = {"blueprints": {"private_addresses": True}}
    with full_panel(tmp_path, redis_url, database_url, **settings) as server:
        yield server


@pytest.fixture
def admin(web: WebServer) -> Iterator[httpx.Client]:
    with web.signed_in("admin@example.com", "admin") as client:
        yield client


@pytest.fixture
def source() -> Iterator[Source]:
    with Source().running() as found:
        yield found


def imported(client: httpx.Client, table: dict[str, Any], **query: Any) -> httpx.Response:
    return client.post(f"{API}/import", params=query, json=table)


def test_every_way_in(admin: httpx.Client, source: Source) -> None:
    text = json.dumps(egg())
    source.answers["/egg.json"] = (200, {}, text.encode())
    yaml = "meta:\n  version: PLCN_v3\n" + json.dumps(egg()["docker_images"]).join(["docker_images: ", "\n"])
    yaml += "name: Some Game\nstartup_commands:\n  Default: run\nconfig: {}\n"
    ways = [
        {"json": egg()},
        {"json": {"text": text}},
        {"json": {"url": f"{source.url}/egg.json"}},
        {"files": {"file": ("egg.json", text)}},
        {"files": {"file": ("egg.yml", yaml)}},
        {"content": text, "headers": {"Content-Type": "text/plain"}},
        {"content": yaml, "headers": {"Content-Type": "application/yaml"}},
        {"json": {"text": yaml}},
    ]
    for way in ways:
        made = admin.post(f"{API}/import", **way)  # type: ignore[arg-type]
        assert made.status_code == 201, (way, made.text)
        assert made.json()["name"] == "some-game"
        assert admin.delete(f"{API}/some-game").status_code == 204


@pytest.mark.parametrize("kind", ["application/json", "application/yaml", "text/plain", "application/toml"])
def test_text_that_is_not_utf8_is_refused(admin: httpx.Client, kind: str) -> None:
    data = json.dumps(egg(name="é"), ensure_ascii=False).encode("latin-1")
    refused = admin.post(f"{API}/import", content=data, headers={"Content-Type": kind})
    assert refused.status_code == 422 and "UTF-8" in refused.json()["detail"]


def test_nothing_and_web_pages_are_told_from_eggs(admin: httpx.Client, source: Source) -> None:
    for path, page in (("/blob/egg.json", b"\xef\xbb\xbf\n<!DOCTYPE html><title>x</title>"), ("/empty", b" \n")):
        source.answers[path] = (200, {}, page)
    said = [
        ({"url": f"{source.url}/blob/egg.json"}, "Raw"),
        ({"url": f"{source.url}/empty"}, "empty"),
        ({"text": " "}, "a file, an address or the text"),
        ({"text": "<html>"}, "web page"),
    ]
    for body, words in said:
        refused = admin.post(f"{API}/import", json=body)
        assert refused.status_code == 422 and words in refused.json()["detail"], body


def test_the_answer_lists_what_is_otherwise(admin: httpx.Client) -> None:
    made = imported(admin, egg(force_outgoing_ip=True, variables=[variable("HOSTNAME")], startup="run")).json()
    assert {note["path"] for note in made["report"]} == {"force_outgoing_ip", "variables.HOSTNAME"}
    assert admin.get(f"{API}/some-game").json()["report"] == made["report"]


@pytest.mark.parametrize("kind", ["ptdl_v2", "plcn_v3"])
def test_export_and_import_again(admin: httpx.Client, kind: str) -> None:
    first = imported(admin, egg(uuid="8d2ddc36-5a5e-4ab1-8fb2-1b7c5bb1a7d4", tags=["x"])).json()
    answer = admin.get(f"{API}/some-game/export", params={"format": kind})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json" if kind == "ptdl_v2" else "application/yaml")
    assert "egg-some-game." in answer.headers["Content-Disposition"]
    again = admin.post(
        f"{API}/import?replace=true", content=answer.content, headers={"Content-Type": "application/yaml"}
    ).json()
    assert {**again, "updated_at": "", "icon_url": ""} == {**first, "updated_at": "", "icon_url": ""}
    assert admin.get(f"{API}/some-game/export", params={"format": kind}).content == answer.content


def test_the_same_egg_and_another_of_its_name(admin: httpx.Client) -> None:
    uuid = "8d2ddc36-5a5e-4ab1-8fb2-1b7c5bb1a7d4"
    assert imported(admin, egg(uuid=uuid)).status_code == 201
    again = imported(admin, egg(uuid=uuid, name="Renamed"))
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    assert "replace or update" in again.json()["detail"]
    other = imported(admin, egg(author="another", startup="other")).json()
    assert other["name"] == "some-game-2"
    assert {"path": "name", "problem": "is taken by another blueprint: this one is called some-game-2"} in other[
        "report"
    ]
    assert imported(admin, egg(author="another", startup="other")).status_code == 201
    replaced = imported(admin, egg(uuid=uuid, name="Renamed"), replace=True).json()
    assert (replaced["name"], replaced["title"]) == ("some-game", "Renamed")


def test_an_egg_without_a_uuid_is_told_from_its_newer_version(admin: httpx.Client) -> None:
    assert imported(admin, egg(author="a@example.org")).json()["report"] == []
    again = imported(admin, egg(author="a@example.org", exported_at="2026-02-01T00:00:00+00:00")).json()
    (note,) = again["report"]
    assert (again["name"], note["path"]) == ("some-game-2", "name")
    assert "a blueprint of the same author, Some Game (some-game)" in note["problem"]
    assert "delete some-game-2 and import it again with replace" in note["problem"]
    other = imported(admin, egg(author="b@example.org")).json()
    assert "is taken by another blueprint" in other["report"][0]["problem"]


def test_a_changed_blueprint_keeps_its_egg(admin: httpx.Client) -> None:
    imported(admin, egg(tags=["kept"]))
    source = admin.get(f"{API}/some-game").json()["source"]
    changed = source.replace('title = "Some Game"', 'title = "Changed"')
    assert admin.put(f"{API}/some-game", json={"toml": changed}).status_code == 200
    exported = admin.get(f"{API}/some-game/export", params={"format": "ptdl_v2"}).json()
    assert (exported["name"], exported["tags"], exported["meta"]["version"]) == ("Changed", ["kept"], "PTDL_v2")


def test_a_built_in_blueprint_as_an_egg(admin: httpx.Client) -> None:
    before = admin.get(f"{API}/luanti").json()
    for kind in ("ptdl_v2", "plcn_v3"):
        text = admin.get(f"{API}/luanti/export", params={"format": kind}).text
        assert admin.post(f"{API}/import?replace=true", json={"text": text}).status_code == 201
    after = admin.get(f"{API}/luanti").json()
    same = ("startup", "stop", "variables", "ports", "resources", "config", "runtimes", "install_script", "category")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert admin.post(f"{API}/luanti/restore").status_code == 200


def test_an_update_is_shown_before_it_is_applied(admin: httpx.Client, source: Source) -> None:
    meta = {"version": "PTDL_v2", "update_url": f"{source.url}/egg.json"}
    imported(admin, egg(meta=meta))
    newer = egg(meta=meta, startup="java -jar new.jar", variables=[variable("JAR"), variable("NEW")])
    source.answers["/egg.json"] = (200, {}, json.dumps(newer).encode())
    shown = admin.post(f"{API}/some-game/update", json={}).json()
    assert shown["applied"] is False
    changes = {change["path"]: (change["before"], change["after"]) for change in shown["changes"]}
    assert changes["startup.command"] == (egg()["startup"], "java -jar new.jar")
    assert changes["variables.NEW.env"] == (None, "NEW")
    assert "variables.JAR.env" not in changes
    assert admin.get(f"{API}/some-game").json()["startup"]["command"] == egg()["startup"]
    other = admin.post(f"{API}/some-game/update", json={"digest": "0" * 64})
    assert (other.status_code, other.json()["code"]) == (409, "changed")
    applied = admin.post(f"{API}/some-game/update", json={"digest": shown["digest"]}).json()
    assert applied["applied"] is True
    assert admin.get(f"{API}/some-game").json()["startup"]["command"] == "java -jar new.jar"
    assert admin.post(f"{API}/some-game/update", json={}).json()["changes"] == []
    del source.answers["/egg.json"]
    assert admin.post(f"{API}/some-game/update", json={}).status_code == 503
    assert admin.post(f"{API}/luanti/update", json={}).json()["code"] == "no_update_url"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"url": "file:///etc/passwd"}, 422),
        ({"url": "http://169.254.169.254/latest/meta-data"}, 422),
        ({"url": "http://[fe80::1]/"}, 422),
        ({"url": "http://0.0.0.0/"}, 422),
        ({"url": None, "text": None}, 422),
        ({"url": "http://a/", "text": "x"}, 422),
        ({}, 422),
        ({"text": "nonsense"}, 422),
        ({"text": "{"}, 422),
        ({"text": "meta: &a [*a]\n"}, 422),
        ({"url": 1}, 422),
        (egg(docker_images={"x": "--privileged"}), 422),
        (egg(meta={"version": "nothing"}), 422),
    ],
)
def test_what_is_refused(admin: httpx.Client, body: dict[str, Any], status: int) -> None:
    before = Blueprint.select().count()
    answer = admin.post(f"{API}/import", json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert Blueprint.select().count() == before


def test_by_default_nothing_is_fetched_from_this_machine(tmp_path: Path, redis_url: str, source: Source) -> None:
    source.answers["/egg.json"] = (200, {}, json.dumps(egg()).encode())
    with full_panel(tmp_path, redis_url) as web, web.signed_in("admin@example.com", "admin") as admin:
        answer = admin.post(f"{API}/import", json={"url": f"{source.url}/egg.json"})
        meta = {"version": "PTDL_v2", "update_url": f"{source.url}/egg.json"}
        assert imported(admin, egg(meta=meta)).status_code == 201
        update = admin.post(f"{API}/some-game/update", json={})
    assert [(one.status_code, one.json()["code"]) for one in (answer, update)] == [(422, "fetch_refused")] * 2
    assert source.asked == []


def test_users_see_no_script_and_no_report(web: WebServer, admin: httpx.Client) -> None:
    imported(admin, egg(force_outgoing_ip=True, meta={"version": "PTDL_v2", "update_url": "https://example.org/x"}))
    with web.signed_in() as user:
        shown = user.get(f"{API}/some-game").json()
        assert (shown["report"], shown["install_script"], shown["update_url"], shown["source"]) == (
            [],
            None,
            None,
            None,
        )
        assert imported(user, egg()).status_code == 403
        assert user.post(f"{API}/some-game/update", json={}).status_code == 403


def test_every_real_egg_is_imported(admin: httpx.Client) -> None:
    paths = [found.values[0] for found in real_eggs()]
    if paths == [None]:
        pytest.skip("there are no real eggs in ../shared/eggs")
    for path in paths:
        made = admin.post(f"{API}/import", files={"file": (path.name, path.read_bytes())})
        while made.status_code == 429:
            pytest.fail("the limit of imports is lower than the number of eggs")
        assert made.status_code == 201, (path, made.text)
