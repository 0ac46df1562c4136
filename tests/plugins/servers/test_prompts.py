"""What games ask, and how they crash, as the panel keeps and shows it: with a real worker and node, both databases."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from event_client import following
from product import GameServer
from whole_panel import Site

from stellar import audit
from stellar.plugins.servers.models import OpenPrompt, Server
from stellar.testing.waiting import wait_until

CRASHES = "/crashes"


def asked(server: GameServer) -> dict[str, Any] | None:
    """The one thing that the game asks, if any."""
    prompts: list[dict[str, Any]] = server.client.get(server.path).json()["prompts"]
    assert len(prompts) <= 1
    return prompts[0] if prompts else None


def asking(site: Site, client: httpx.Client) -> GameServer:
    """A server that has ended with a question."""
    server = site.offline("licensed", client=client)
    assert server.power("start").status_code == 202
    wait_until(lambda: asked(server), 20, "the question")
    server.wait("offline")
    return server


def test_a_licence_is_asked_for_shown_and_accepted_with_one_call(site: Site, ada: httpx.Client) -> None:
    server = asking(site, ada)
    prompt = asked(server)
    assert prompt is not None
    assert (prompt["name"], prompt["accept"]) == ("eula", "I agree to the EULA")
    assert prompt["link"] == "https://aka.ms/MinecraftEULA"
    assert prompt["line"].startswith("[main/INFO]: You need to agree to the EULA")
    answer = ada.post(f"{server.path}/prompts/eula")
    assert answer.status_code == 202, answer.text
    assert answer.json()["prompts"] == []
    server.wait("running")
    assert (site.node.files(server.id) / "data" / "eula.txt").read_text() == "eula=true\n"
    line = audit.list_page(action="server.prompt", target_id=server.id).entries[0]
    assert line.details == {"prompt": "eula", "accepted": "I agree to the EULA"}
    assert line.actor_name == ada.get("/api/v1/users/me").json()["email"]
    again = ada.post(f"{server.path}/prompts/eula")
    assert (again.status_code, again.json()["detail"]) == (404, "The game doesn't ask this now.")


def test_a_question_is_over_when_the_game_starts_anew_and_comes_again(site: Site, ada: httpx.Client) -> None:
    server = asking(site, ada)
    first = asked(server)
    assert server.power("start").status_code == 202
    wait_until(lambda: (found := asked(server)) and found["at"] != (first or {})["at"], 20, "the question again")
    server.wait("offline")
    (site.node.files(server.id) / "data" / "eula.txt").write_text("eula=true\n")
    assert server.power("start").status_code == 202
    server.wait("running")
    assert asked(server) is None


def test_what_cannot_be_accepted_can_be_put_aside(site: Site, ada: httpx.Client) -> None:
    server = asking(site, ada)
    assert ada.post(f"{server.path}/prompts/eula").status_code == 202
    server.wait("running")
    assert ada.post(f"{server.path}/command", json={"command": "threads"}).status_code in (200, 202, 204)
    prompt = wait_until(lambda: asked(server), 20, "the refusal")
    assert (prompt["name"], prompt["accept"]) == ("pid_limit", "")
    refused = ada.post(f"{server.path}/prompts/pid_limit")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_accept")
    assert ada.delete(f"{server.path}/prompts/pid_limit").status_code == 204
    assert asked(server) is None
    assert ada.delete(f"{server.path}/prompts/pid_limit").status_code == 404


def test_browsers_hear_of_a_question_at_once(site: Site, ada: httpx.Client) -> None:
    server = site.offline("licensed", client=ada)
    with following(site.web, ada) as follower:
        server.power("start")
        while (event := follower.event())["topic"] != "server.prompt":
            pass
    assert f"server:{server.id}" in event["subjects"]
    assert event["data"]["data"]["prompt"] == "eula", event


def test_a_question_stays_open_where_it_cannot_be_answered(site: Site, ada: httpx.Client) -> None:
    server = asking(site, ada)
    elsewhere = site.node.files(server.id) / "elsewhere"
    elsewhere.write_text("eula=false\n")
    (site.node.files(server.id) / "data" / "eula.txt").symlink_to(elsewhere)
    refused = ada.post(f"{server.path}/prompts/eula")
    assert refused.status_code == 409 and "eula.txt" in refused.json()["detail"]
    assert elsewhere.read_text() == "eula=false\n"
    assert asked(server) is not None
    site.node.kill()
    try:
        assert ada.post(f"{server.path}/prompts/eula").status_code == 503
        assert asked(server) is not None
    finally:
        site.node.start()
    assert audit.list_page(action="server.prompt", target_id=server.id).entries == []


def test_plugins_may_veto_the_restart(site: Site, ada: httpx.Client) -> None:
    server = asking(site, ada)
    assert ada.patch(server.path, json={"name": "Guarded restart"}).status_code == 200
    refused = ada.post(f"{server.path}/prompts/eula")
    assert (refused.status_code, refused.json()["code"]) == (409, "guarded")
    assert ada.patch(server.path, json={"name": "Free"}).status_code == 200


def test_an_agent_that_is_killed_tells_of_the_question_later(site: Site, ada: httpx.Client) -> None:
    server = asking(site, ada)
    assert ada.post(f"{server.path}/prompts/eula").status_code == 202
    server.wait("running")
    site.node.kill()
    site.node.start()
    assert ada.post(f"{server.path}/command", json={"command": "threads"}).status_code in (200, 202, 204)
    wait_until(lambda: asked(server), 20, "the refusal")


def test_crashes_are_kept_with_what_the_server_said_last(site: Site, ada: httpx.Client) -> None:
    server = asking(site, ada)
    assert ada.get(server.path + CRASHES).json() == {"items": []}
    assert ada.post(f"{server.path}/prompts/eula").status_code == 202
    server.wait("running")
    assert ada.post(f"{server.path}/command", json={"command": "crash"}).status_code in (200, 202, 204)
    (crash,) = wait_until(lambda: ada.get(server.path + CRASHES).json()["items"], 20, "the report")
    assert (crash["code"], crash["signal"], crash["oom"], crash["reason"]) == (3, None, False, "")
    assert (crash["summary"], crash["restarting"]) == ("It ended with exit code 3.", True)
    assert "Exception in thread <main>" in crash["log"] and "\x1b" not in crash["log"]


def test_autostart_is_the_servers_own_setting(site: Site, ada: httpx.Client) -> None:
    server = site.offline(client=ada)
    assert ada.get(server.path).json()["autostart"] is True
    assert ada.patch(server.path, json={"autostart": False}).json()["autostart"] is False
    assert Server.get_by_id(server.id).autostart is False
    spec = site.node.files(server.id) / "spec.json"
    wait_until(lambda: '"autostart":false' in spec.read_text(), 20, "the node knowing")
    for wrong in ("no", 0, None):
        assert ada.patch(server.path, json={"autostart": wrong}).status_code == 422


@pytest.mark.parametrize("name", ["nonsense", "..%2feula", "x" * 200])
def test_a_question_that_nobody_knows_is_not_there(site: Site, ada: httpx.Client, name: str) -> None:
    server = site.offline("licensed", client=ada)
    for method in ("POST", "DELETE"):
        assert ada.request(method, f"{server.path}/prompts/{name}").status_code == 404
    assert OpenPrompt.select().where(OpenPrompt.server == server.id).count() == 0
