"""Creating servers: what is refused, what comes from the blueprint, and many at once."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest
from whole_panel import PORTS, USER_LIMIT, Site, together

from stellar.auth.permissions import SYSTEM
from stellar.errors import Conflict
from stellar.plugins.blueprints.models import Blueprint
from stellar.plugins.nodes.models import Allocation, Node
from stellar.plugins.servers.creation import create_server
from stellar.plugins.servers.jobs import install_cancelled
from stellar.plugins.servers.models import Server
from stellar.plugins.servers.schemas import CreateServer
from stellar.plugins.servers.settings import ServersSettings
from stellar.plugins.servers.spec import Limits
from stellar.testing.waiting import wait_until

NO_LIMITS: dict[str, Any] = msgspec.to_builtins(Limits())


def body(site: Site, **values: Any) -> dict[str, Any]:
    """What makes a server, with changes."""
    return {"name": "A server", "blueprint": "quick", "node": site.node.id, **values}


def nothing_made(site: Site) -> bool:
    """No server, no port and no job."""
    return not (Server.select().count() or Allocation.select().count() or site.unfinished_jobs())


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", {"name": ""}),
        ("name", {"name": "  \t "}),
        ("name", {"name": "x" * 65}),
        ("name", {"name": 5}),
        ("name", {"name": None}),
        ("name", {"name": ["a"]}),
        ("name", {"name": "a\nb"}),
        ("name", {"name": "a\x1b[31mb"}),
        ("name", {"name": "a\x7f"}),
        ("name", {"name": "a\x85b"}),
        ("name", {"name": "\u202emoc.exe"}),
        ("name", {"name": "a\u2066b"}),
        ("name", {"name": "\u200b\u200b"}),
        ("name", {"name": "\ufb2c" * 40}),
        ("description", {"description": "a\x00".replace("\x00", "\x1b")}),
        ("description", {"description": "\u202e"}),
        ("description", {"description": "x" * 513}),
        ("description", {"description": {}}),
        ("blueprint", {"blueprint": "no-such"}),
        ("blueprint", {"blueprint": ""}),
        ("blueprint", {"blueprint": "' or 1=1 --"}),
        ("blueprint", {"blueprint": 1}),
        ("node", {"node": "no-such"}),
        ("node", {"node": ""}),
        ("node", {"node": {"id": "x"}}),
        ("memory_mb", {"memory_mb": 15}),
        ("memory_mb", {"memory_mb": -1}),
        ("memory_mb", {"memory_mb": "64"}),
        ("memory_mb", {"memory_mb": 64.5}),
        ("memory_mb", {"memory_mb": True}),
        ("memory_mb", {"memory_mb": 2**31}),
        ("memory_mb", {"memory_mb": 2**63 - 1}),
        ("memory_mb", {"memory_mb": 1e300}),
        ("cpu_percent", {"cpu_percent": -100}),
        ("cpu_percent", {"cpu_percent": 100_001}),
        ("disk_mb", {"disk_mb": -1}),
        ("disk_mb", {"disk_mb": 2**40}),
        ("variables", {"variables": None}),
        ("variables", {"variables": ["COMMAND"]}),
        ("variables.SLOTS", {"variables": {"SLOTS": "65"}}),
        ("variables.SLOTS", {"variables": {"SLOTS": "many"}}),
        ("variables.SLOTS", {"variables": {"SLOTS": ""}}),
        ("variables.SLOTS", {"variables": {"SLOTS": "9" * 400}}),
        ("variables.COMMAND", {"variables": {"COMMAND": "x" * 4097}}),
        ("variables.COMMAND", {"variables": {"COMMAND": "a\nb"}}),
        ("variables.COMMAND", {"variables": {"COMMAND": "a\x1bb"}}),
        ("variables.NO_SUCH", {"variables": {"NO_SUCH": "1"}}),
        ("variables.PATH", {"variables": {"PATH": "/tmp"}}),
        ("variables.LICENCE", {"variables": {"LICENCE": "mine"}}),
        ("variables.HIDDEN", {"variables": {"HIDDEN": "mine"}}),
        ("owner", {"owner": "somebody"}),
        ("suspended", {"suspended": False}),
        ("state", {"state": "running"}),
        ("id", {"id": "00000000-0000-0000-0000-000000000000"}),
    ],
)
def test_bad_value_is_named_and_nothing_is_made(
    site: Site, ada: httpx.Client, field: str, values: dict[str, Any]
) -> None:
    refused = ada.post("/api/v1/servers", json=body(site, **values))
    assert refused.status_code == 422, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert any(name == field or name.startswith(f"{field}[") for name in refused.json()["errors"]), refused.text
    assert refused.json()["detail"].endswith(".")
    assert nothing_made(site)


def test_value_that_is_no_text_for_a_variable_is_refused(site: Site, ada: httpx.Client) -> None:
    for value in (1, True, None, ["a"], {"a": "b"}):
        refused = ada.post("/api/v1/servers", json=body(site, variables={"SLOTS": value}))
        assert refused.status_code == 422, value
        assert next(iter(refused.json()["errors"])).startswith("variables"), refused.text
    assert nothing_made(site)


def test_every_bad_variable_is_named_at_once(site: Site, ada: httpx.Client) -> None:
    refused = ada.post("/api/v1/servers", json=body(site, variables={"SLOTS": "0", "X": "", "LICENCE": "mine"}))
    assert set(refused.json()["errors"]) == {"variables.SLOTS", "variables.X", "variables.LICENCE"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"name": "a", "name": "b", "blueprint": "quick"}',
        b'{"name": "a\\u0000b", "blueprint": "quick"}',
        b'{"name": "a", "blueprint": "quick", "variables": {"A\\u0000": "b"}}',
        b'{"name": "\\ud800", "blueprint": "quick"}',
        b'{"name": "\xff", "blueprint": "quick"}',
        b'{"name": "a", "blueprint": "quick", "memory_mb": 1' + b"0" * 400 + b"}",
        b'{"name": "a", "blueprint": "quick", "memory_mb": NaN}',
        b'{"name": "a"}',
        b"[" * 100_000,
        b'{"name": "' + b"x" * 2_000_000 + b'"}',
    ],
    ids=lambda content: content[:40].decode(errors="replace"),
)
def test_broken_body_is_refused(site: Site, ada: httpx.Client, content: bytes) -> None:
    refused = ada.post("/api/v1/servers", content=content, headers={"Content-Type": "application/json"})
    assert refused.status_code in (400, 413, 422), refused.text
    assert refused.json()["detail"]
    assert nothing_made(site)


def test_nobody_creates_without_a_session_or_the_csrf_token(site: Site, ada: httpx.Client) -> None:
    with site.web.client() as stranger:
        assert stranger.post("/api/v1/servers", json=body(site)).status_code == 401
    forged = ada.post("/api/v1/servers", json=body(site), headers={"X-CSRF-Token": "x"})
    assert (forged.status_code, forged.json()["code"]) == (403, "csrf")
    assert nothing_made(site)


def test_what_is_left_out_comes_from_the_blueprint(site: Site, ada: httpx.Client) -> None:
    made = ada.post("/api/v1/servers", json={"name": " Bäume \U0001f333 ", "blueprint": "quick"}).json()
    assert made["name"] == "Bäume \U0001f333"
    assert made["limits"] == {**NO_LIMITS, "memory_mb": 64, "cpu_percent": 100, "disk_mb": 64}
    assert made["node"]["id"] == site.node.id
    assert {variable["env"]: variable["value"] for variable in made["variables"]} == {
        "COMMAND": "echo ready; exec cat",
        "SLOTS": "8",
        "LICENCE": "none",
    }


def test_administrator_sets_what_others_may_not_even_see(site: Site) -> None:
    made = site.admin.post("/api/v1/servers", json=body(site, variables={"LICENCE": "ours", "HIDDEN": "h"}))
    values = {variable["env"]: variable["value"] for variable in made.json()["variables"]}
    assert (values["LICENCE"], values["HIDDEN"]) == ("ours", "h")


def test_no_limit_is_a_limit_of_nothing(site: Site) -> None:
    made = site.admin.post("/api/v1/servers", json=body(site, memory_mb=0, cpu_percent=0, disk_mb=0)).json()
    assert made["limits"] == NO_LIMITS


def test_a_cancelled_install_has_failed_and_can_be_tried_again(site: Site) -> None:
    site.worker.stop()
    try:
        server = site.create()
        (job,) = site.admin.get("/api/v1/admin/jobs?state=queued").json()["jobs"]
        assert job["arguments"] == {"server_id": server.id}
        assert site.admin.post(f"/api/v1/admin/jobs/{job['id']}/cancel").status_code == 204
        shown = server.get()
        assert (shown["state"], shown["install"]["ok"]) == ("install_failed", False)
        assert "was cancelled" in shown["install"]["log"]
        again = site.admin.post(f"{server.path}/reinstall")
        assert (again.status_code, again.json()["state"]) == (202, "installing"), again.text
    finally:
        site.worker.start()
    server.wait("offline")
    assert server.get()["install"]["ok"]


def test_an_install_that_its_node_knows_is_not_called_cancelled(site: Site) -> None:
    server = site.offline()
    Server.update(state="installing").where(Server.id == server.id).execute()
    install_cancelled(server.id)
    assert server.get()["state"] == "installing"


def test_a_job_of_a_server_that_was_deleted_meanwhile_is_not_a_failed_one(site: Site) -> None:
    server = site.offline()
    site.worker.stop()
    try:
        assert site.admin.patch(server.path, json={"description": "Soon gone"}).status_code == 200
        assert site.unfinished_jobs()
        assert site.admin.delete(server.path).status_code == 204
    finally:
        site.worker.start()
    wait_until(lambda: not site.unfinished_jobs(), 30)
    assert site.admin.get("/api/v1/admin/jobs").json()["jobs"] == []


def test_fine_limits_are_for_administrators(site: Site, ada: httpx.Client) -> None:
    fine = {"swap_mb": -1, "cpu_set": "0-1", "io_weight": 100, "pids": 50, "oom_kill": False}
    for field, value in fine.items():
        refused = ada.post("/api/v1/servers", json={"name": "Greedy", "blueprint": "quick", field: value})
        assert refused.status_code == 403, field
    assert Server.select().count() == 0
    made = site.admin.post("/api/v1/servers", json=body(site, **fine)).json()
    assert made["limits"].items() >= fine.items()


@pytest.mark.parametrize(
    ("values", "status"), [({"image": "debian"}, 422), ({"runtime": "docker"}, 409), ({"runtime": "nowhere"}, 409)]
)
def test_a_runtime_or_image_that_can_t_be_had_is_refused(site: Site, values: dict[str, str], status: int) -> None:
    refused = site.admin.post("/api/v1/servers", json=body(site, **values))
    assert refused.status_code == status, refused.text
    assert nothing_made(site)


def test_blueprint_is_found_by_its_id_and_node_by_its_name(site: Site) -> None:
    blueprint = site.admin.get("/api/v1/blueprints/quick").json()["id"]
    made = site.admin.post("/api/v1/servers", json=body(site, blueprint=blueprint, node=site.node.name))
    assert made.status_code == 202
    assert (made.json()["blueprint"]["name"], made.json()["node"]["id"]) == ("quick", site.node.id)


def test_many_at_once_never_share_a_port_nor_get_more_than_there_are(site: Site) -> None:
    answers = together(30, lambda number: site.admin.post("/api/v1/servers", json=body(site, name=f"n{number}")))
    assert {answer.status_code for answer in answers} == {202, 409}
    made = [answer.json() for answer in answers if answer.status_code == 202]
    assert sorted(server["allocation"]["port"] for server in made) == list(site.node.ports)
    refused = {answer.json()["code"]: answer.json()["detail"] for answer in answers if answer.status_code == 409}
    assert list(refused) == ["no_free_port"]
    assert "attic" in refused["no_free_port"] and str(site.node.ports[-1]) in refused["no_free_port"]
    assert Server.select().count() == Allocation.select().count() == PORTS
    assert len({server["short_id"] for server in made}) == PORTS
    wait_until(lambda: not Server.select().where(Server.state != "offline").exists(), what="every install")
    freed = made[3]
    assert site.admin.delete(f"/api/v1/servers/{freed['id']}").status_code == 204
    again = site.admin.post("/api/v1/servers", json=body(site)).json()
    assert again["allocation"]["port"] == freed["allocation"]["port"]


def test_many_at_once_never_exceed_the_accounts_limit(site: Site, ada: httpx.Client) -> None:
    answers = together(50, lambda number: ada.post("/api/v1/servers", json=body(site, name=f"n{number}")))
    assert sorted(answer.status_code for answer in answers) == [202] * USER_LIMIT + [403] * (50 - USER_LIMIT)
    refused = next(answer.json() for answer in answers if answer.status_code == 403)
    assert refused["code"] == "server_limit" and str(USER_LIMIT) in refused["detail"]
    assert Server.select().count() == Allocation.select().count() == USER_LIMIT
    with site.user() as other:
        assert other.post("/api/v1/servers", json=body(site)).status_code == 202
    mine = ada.get("/api/v1/servers").json()["items"]
    assert ada.delete(f"/api/v1/servers/{mine[0]['id']}").status_code == 204
    assert ada.post("/api/v1/servers", json=body(site)).status_code == 202
    assert ada.post("/api/v1/servers", json=body(site)).status_code == 403


def blueprint_of(site: Site, name: str) -> None:
    """A blueprint of its own, which needs nothing."""
    about = f'format = 1\nname = "{name}"\ntitle = "Gone"\ndescription = "A test."\ncategory = "other"\n'
    text = about + '[runtimes.process]\n[startup]\ncommand = "cat"\n'
    assert site.admin.post("/api/v1/blueprints", json={"toml": text}).status_code == 201


def test_blueprint_that_goes_while_a_server_is_made_of_it(site: Site, ada: httpx.Client) -> None:
    blueprint_of(site, "gone")
    gone = Blueprint.get(Blueprint.name == "gone")
    assert site.admin.delete("/api/v1/blueprints/gone").status_code == 204
    wanted = CreateServer(name="Late", blueprint="gone")
    with pytest.raises(Conflict) as refused:
        create_server(
            SYSTEM, wanted, gone, (Node.get_by_id(site.node.id), "process"), ServersSettings(), owner_id="nobody"
        )
    assert refused.value.fields.keys() == {"blueprint"}
    assert nothing_made(site)


def test_making_servers_and_deleting_their_blueprint_at_the_same_time(site: Site, ada: httpx.Client) -> None:
    blueprint_of(site, "racing")

    def act(number: int) -> tuple[int, str]:
        if number == 2:
            answer = site.admin.delete("/api/v1/blueprints/racing")
        else:
            answer = site.admin.post("/api/v1/servers", json=body(site, blueprint="racing"))
        return answer.status_code, answer.text

    answers = together(5, act)
    made = [answer for number, answer in enumerate(answers) if number != 2]
    assert {status for status, _ in made} <= {202, 409, 422}, answers
    assert answers[2][0] == (409 if any(status == 202 for status, _ in made) else 204), answers
