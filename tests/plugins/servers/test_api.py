"""The road of a server through the API: create, install, start, command, stop, crash."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from product import GameServer
from whole_panel import Site, together

from stellar.bus import sync
from stellar.plugins.servers.calls import StateQuery, StateResult
from stellar.plugins.servers.models import Crash, Install
from stellar.plugins.servers.service import enqueue_install
from stellar.testing.waiting import wait_until

SLOW_END = "trap 'while [ ! -e go ]; do sleep 0.02; done; exit 0' TERM; while :; do sleep 0.05; done"
"""Stops only when there is a file ``go``."""


def put(server: GameServer, path: str, content: bytes = b"") -> None:
    """Write one of the server's files."""
    answer = server.client.put(f"{server.path}/files/content", params={"path": path}, content=content)
    assert answer.status_code == 200, answer.text


def file(server: GameServer, path: str) -> bytes:
    """One of the server's files."""
    answer = server.client.get(f"{server.path}/files/content", params={"path": path})
    assert answer.status_code == 200, answer.text
    return answer.content


def generic(site: Site, install: str = "", start: str = "exec cat", **values: Any) -> GameServer:
    """A server of the built-in for any command."""
    return site.create("generic", variables={"START_COMMAND": start, "INSTALL_COMMAND": install}, **values)


def test_server_of_any_command_goes_its_whole_road(site: Site) -> None:
    watch = site.states()
    server = generic(site, "echo all $((40 + 2)) parts", "echo listening on $SERVER_PORT; exec cat")
    server.wait("offline")
    watch.expect(server, "installing", "offline")
    server.says("all 42 parts")
    assert server.power("start").json()["state"] == "starting"
    server.wait("running")
    server.says(f"listening on {server.port}")
    server.command("hello there")
    server.says("hello there\r\nhello there\r\n")
    assert server.power("stop").json()["state"] == "stopping"
    server.wait("offline")
    assert server.client.post(f"{server.path}/command", json={"command": "x"}).status_code == 409
    watch.expect(server, "installing", "offline", "starting", "running", "stopping", "offline")
    watch.close()


def test_new_server_is_shown_with_everything_that_scripts_rely_on(site: Site, ada: httpx.Client) -> None:
    body = {"name": "Mine", "blueprint": "generic", "node": site.node.name, "description": "d", "memory_mb": 128}
    made = ada.post("/api/v1/servers", json={**body, "cpu_percent": 50, "disk_mb": 0, "variables": {}})
    assert made.status_code == 202, made.text
    shown = made.json()
    account = ada.get("/api/v1/auth/session").json()["user"]
    blueprint = ada.get("/api/v1/blueprints/generic").json()
    assert shown["id"].startswith(shown["id"][:8]) and len(shown["id"]) == 36 and len(shown["short_id"]) == 8
    assert (shown["name"], shown["description"], shown["suspended"]) == ("Mine", "d", False)
    assert shown["state"] in ("installing", "offline")
    assert shown["node"] == {"id": site.node.id, "name": site.node.name}
    assert shown["blueprint"] == {"id": blueprint["id"], "name": "generic", "title": blueprint["title"]}
    assert shown["owner"] == {"id": account["id"], "name": account["name"]}
    assert (
        shown["limits"].items() >= {"memory_mb": 128, "cpu_percent": 50, "disk_mb": 0, "swap_mb": 0, "pids": 0}.items()
    )
    assert shown["allocation"] == {
        "address": "127.0.0.1",
        "ip": "0.0.0.0",
        "port": site.node.ports[0],
        "protocol": "both",
        "name": "game",
    }
    assert abs(datetime.fromisoformat(shown["created_at"]) - datetime.now(UTC)) < timedelta(minutes=1)
    by_id, by_short_id = (ada.get(f"/api/v1/servers/{shown[key]}").json() for key in ("id", "short_id"))
    assert by_id == by_short_id
    assert by_id["id"] == shown["id"]
    listed = ada.get("/api/v1/servers").json()
    assert [server["id"] for server in listed["items"]] == [shown["id"]]
    assert listed["next"] is None


def test_install_is_seen_while_it_goes_on_and_allows_nothing_else(site: Site) -> None:
    server = generic(site, "echo one; while [ ! -e go ]; do sleep 0.02; done; echo two")
    server.says("one")
    for action in ("start", "stop", "restart", "reinstall"):
        refused = server.power(action)
        assert (refused.status_code, server.state()) == (409, "installing"), action
        assert "install" in refused.json()["detail"]
    assert "two" not in server.output()
    assert server.get()["install"] is None
    put(server, "go")
    server.wait("offline")
    server.says("two")
    install = server.get()["install"]
    assert (install["ok"], install["exit_code"]) == (True, 0)
    assert install["log"].index("one") < install["log"].index("two")
    assert datetime.fromisoformat(install["started_at"]) <= datetime.fromisoformat(install["finished_at"])


def test_failed_install_says_why_and_can_be_tried_again(site: Site) -> None:
    server = generic(site, "echo looking; test -e fixed || { echo nothing there; exit 3; }; echo found")
    server.wait("install_failed")
    install = server.get()["install"]
    assert (install["ok"], install["exit_code"]) == (False, 3)
    assert "nothing there" in install["log"]
    assert server.power("start").status_code == 409
    put(server, "fixed")
    again = server.power("reinstall")
    assert (again.status_code, again.json()["state"]) == (202, "installing")
    server.wait("offline")
    install = server.get()["install"]
    assert (install["ok"], install["exit_code"]) == (True, 0)
    assert "found" in install["log"] and "nothing there" not in install["log"]
    assert Install.select().where(Install.server == server.id).count() == 1
    assert file(server, "fixed") == b""


def test_install_can_be_killed(site: Site) -> None:
    server = generic(site, "echo begun; exec sleep 100")
    server.says("begun")
    assert server.power("kill").status_code == 202
    server.wait("install_failed")
    assert server.get()["install"]["ok"] is False


def test_second_action_is_refused_while_one_is_under_way_but_kill_is_not(site: Site) -> None:
    watch = site.states()
    server = site.running(SLOW_END)
    assert server.power("stop").status_code == 202
    for action in ("start", "stop", "restart", "reinstall"):
        refused = server.power(action)
        assert refused.status_code == 409, action
        assert "stopping" in refused.json()["detail"]
    assert server.power("kill").status_code == 202
    server.wait("offline")
    watch.expect(server, "installing", "offline", "starting", "running", "stopping", "offline")
    assert [change.get("exit") for change in watch.changes(server)][-1] == {
        "code": None,
        "signal": "SIGKILL",
        "oom": False,
    }
    watch.close()
    assert not Crash.select().where(Crash.server == server.id).exists()


def test_of_many_equal_requests_at_once_one_is_done(site: Site) -> None:
    server = site.offline(variables={"COMMAND": f"echo ready; echo begun >> runs; {SLOW_END}"})
    assert sorted(answer.status_code for answer in together(6, lambda _: server.power("start"))) == [202] + [409] * 5
    server.wait("running")
    assert sorted(answer.status_code for answer in together(6, lambda _: server.power("stop"))) == [202] + [409] * 5
    put(server, "go")
    server.wait("offline")
    assert file(server, "runs") == b"begun\n"


def test_restart_stops_and_starts(site: Site) -> None:
    watch = site.states()
    server = site.running("echo begun >> runs; exec cat")
    assert server.power("restart").status_code == 202
    stop_and_start = ("stopping", "offline", "starting", "running")
    watch.expect(server, "installing", "offline", "starting", "running", *stop_and_start)
    wait_until(lambda: file(server, "runs") == b"begun\nbegun\n")
    server.wait("running")
    server.power("kill")
    server.wait("offline")
    assert server.power("restart").status_code == 202
    server.wait("running")
    watch.close()


def test_power_of_a_server_that_is_off_says_so(site: Site) -> None:
    server = site.offline()
    refused = server.power("stop")
    assert (refused.status_code, refused.json()["detail"]) == (409, "The server is already offline.")
    assert server.power("kill").status_code == 202
    assert server.state() == "offline"


def test_crash_is_recorded_and_the_server_started_again(site: Site) -> None:
    watch = site.states()
    command = "test -e been && { echo ready; exec cat; }; touch been; echo ow; exit 7"
    server = site.offline(variables={"COMMAND": command})
    server.power("start")
    wait_until(lambda: Crash.select().where(Crash.server == server.id).exists(), what="the crash")
    crash = Crash.get(Crash.server == server.id)
    assert (crash.code, crash.signal, crash.oom, crash.restarting) == (7, None, False, True)
    assert "ow" in crash.log
    server.wait("running")
    watch.expect(server, "installing", "offline", "starting", "offline", "starting", "running")
    watch.close()
    assert Crash.select().where(Crash.server == server.id).count() == 1


def test_install_waits_for_a_worker_that_is_away(site: Site) -> None:
    site.worker.kill()
    try:
        server = generic(site, "echo done >> installs")
        assert (server.state(), site.waiting_jobs()) == ("installing", 1)
        assert not site.node.files(server.id).exists()
    finally:
        site.worker.start()
    server.wait("offline")
    assert file(server, "installs") == b"done\n"


def test_worker_killed_in_the_middle_of_its_job_installs_once(site: Site) -> None:
    site.worker.kill()
    server = generic(site, "echo done >> installs")
    site.node.process.pause()
    try:
        site.worker.start()
        wait_until(site.running_jobs, what="the job's begin")
        site.worker.kill()
        site.worker.start()
    finally:
        site.node.process.resume()
    server.wait("offline")
    wait_until(lambda: not site.unfinished_jobs(), what="the job having run again")
    assert file(server, "installs") == b"done\n"


def test_install_job_that_runs_again_installs_once(site: Site) -> None:
    server = generic(site, "echo begun >> installs; while [ ! -e go ]; do sleep 0.02; done")
    server.says("[stellar] Installing.")
    for _ in range(3):
        enqueue_install(server.id)
    wait_until(lambda: not site.unfinished_jobs(), what="the jobs")
    put(server, "go")
    server.wait("offline")
    enqueue_install(server.id)
    wait_until(lambda: not site.unfinished_jobs(), what="the jobs")
    state = sync.call(site.node.id, "servers.state", StateQuery(server.id), returns=StateResult)
    assert state.state == "offline"
    assert file(server, "installs") == b"begun\n"


def test_name_and_description_can_be_changed(site: Site) -> None:
    server = site.offline()
    changed = server.client.patch(server.path, json={"name": "  Neuer Näme ", "description": "two\nlines"})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["name"], changed.json()["description"]) == ("Neuer Näme", "two\nlines")
    assert server.client.patch(server.path, json={"description": ""}).json()["name"] == "Neuer Näme"
    before = server.get()
    for name in ("", "   ", "a\nb", "a\x1b[2J", "\u202egnp.exe", "\u200b", "x" * 65, 5, None):
        refused = server.client.patch(server.path, json={"name": name})
        assert (refused.status_code, list(refused.json()["errors"])) == (422, ["name"]), repr(name)
    assert server.get() == before


def test_what_a_server_uses_is_asked_of_its_node(site: Site, ada: httpx.Client) -> None:
    server = site.running("held=$(head -c 4000000 /dev/zero | tr '\\0' x); cat", client=ada)
    used = ada.get(f"{server.path}/stats").json()
    assert used["state"] == "running" and used["processes"] > 0
    wait_until(lambda: ada.get(f"{server.path}/stats").json()["memory_bytes"] > 4_000_000, what="the held memory")
    with site.user("stranger") as stranger:
        assert stranger.get(f"{server.path}/stats").status_code == 404
    assert server.power("kill").status_code == 202
    server.wait("offline")
    assert ada.get(f"{server.path}/stats").json()["memory_bytes"] == 0
