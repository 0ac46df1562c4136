"""Answering what games ask with a setting: a real game on a real node, both databases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from product import GameServer
from whole_panel import Site

from stellar import audit
from stellar.auth import users
from stellar.auth.permissions import Actor
from stellar.errors import Conflict, DomainError, Forbidden, Invalid
from stellar.plugins.servers import answers, views
from stellar.plugins.servers.known_prompts import variable_for
from stellar.plugins.servers.models import OpenPrompt, Server
from stellar.testing.waiting import wait_until

TOKEN = "/prompts/gsl_token"


@pytest.fixture
def friend(site: Site) -> Iterator[httpx.Client]:
    """Somebody else with an account."""
    with site.user("friend") as client:
        yield client


def prompts(server: GameServer, client: httpx.Client | None = None) -> dict[str, Any]:
    """What the game asks, as a client sees it, by name."""
    found = (client or server.client).get(server.path)
    assert found.status_code == 200, found.text
    return {prompt["name"]: prompt for prompt in found.json()["prompts"]}


def asking(site: Site, client: httpx.Client) -> GameServer:
    """A server that has ended because it doesn't like its token."""
    server = site.offline("particular", client=client)
    assert server.power("start").status_code == 202
    wait_until(lambda: prompts(server), 20, "the question")
    server.wait("offline")
    return server


def join(server: GameServer, client: httpx.Client, *actions: str) -> None:
    """Let an account do these on a server."""
    email = client.get("/api/v1/users/me").json()["email"]
    body = {"email": email, "actions": ["servers.read", *actions]}
    added = server.client.post(f"{server.path}/members", json=body)
    assert added.status_code == 201, added.text


def actor_of(client: httpx.Client) -> Actor:
    """Whom a client is."""
    user = users.get(client.get("/api/v1/users/me").json()["id"])
    return Actor(user_id=user.id, name=user.email, kind="user", role=user.role)


def test_a_token_is_entered_where_the_game_asks_for_it(site: Site, ada: httpx.Client) -> None:
    server = asking(site, ada)
    asked = prompts(server)["gsl_token"]
    assert asked["answer"] == {"setting": "STEAM_TOKEN", "label": "Game server login token", "choices": []}
    refused = ada.put(server.path + TOKEN, json={"answer": "no; token"})
    assert refused.status_code == 422 and "Game server login token" in refused.json()["errors"]["answer"]
    assert prompts(server) and Server.get_by_id(server.id).variables["STEAM_TOKEN"] == "old-token"
    answered = ada.put(server.path + TOKEN, json={"answer": "good-token"})
    assert answered.status_code == 202 and answered.json()["prompts"] == [], answered.text
    server.wait("running")
    assert Server.get_by_id(server.id).variables["STEAM_TOKEN"] == "good-token"
    line = audit.list_page(action="server.prompt", target_id=server.id).entries[0]
    assert line.details == {"prompt": "gsl_token", "answered": True}
    assert "good-token" not in ada.get(f"{server.path}/activity").text
    assert ada.put(server.path + TOKEN, json={"answer": "good-token"}).status_code == 404


def test_a_wrong_token_is_asked_for_again(site: Site, ada: httpx.Client) -> None:
    server = asking(site, ada)
    first = prompts(server)["gsl_token"]["at"]
    assert ada.put(server.path + TOKEN, json={"answer": "other"}).status_code == 202
    wait_until(lambda: (found := prompts(server)) and found["gsl_token"]["at"] != first, 20, "the question again")


def test_an_answer_takes_the_permissions_of_what_it_changes(
    site: Site, ada: httpx.Client, friend: httpx.Client
) -> None:
    server = asking(site, ada)
    join(server, friend, "control.answer")
    assert prompts(server, friend)["gsl_token"]["answer"] is None
    assert friend.put(server.path + TOKEN, json={"answer": "good-token"}).status_code == 403
    assert Server.get_by_id(server.id).variables["STEAM_TOKEN"] == "old-token"
    assert "gsl_token" in prompts(server)


def test_a_variable_that_users_may_not_set_is_no_answer_of_theirs(
    site: Site, ada: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = asking(site, ada)
    document = views.read_document(Server.get_by_id(server.id).blueprint.document)
    locked = [msgspec.structs.replace(one, user_editable=False) for one in document.variables]
    document = msgspec.structs.replace(document, variables=locked)
    monkeypatch.setattr(answers, "document_of", lambda blueprint: document)
    monkeypatch.setattr(answers.changes, "document_of", lambda blueprint: document)
    monkeypatch.setattr(views, "read_document", lambda text: document)
    assert prompts(server)["gsl_token"]["answer"] is None
    refused = ada.put(server.path + TOKEN, json={"answer": "good-token"})
    assert refused.status_code == 422 and "administrator" in refused.json()["errors"]["answer"]
    assert prompts(server, site.admin)["gsl_token"]["answer"]["setting"] == "STEAM_TOKEN"


def test_plugins_may_veto_the_restart_before_anything_changes(site: Site, ada: httpx.Client) -> None:
    server = asking(site, ada)
    assert ada.patch(server.path, json={"name": "Guarded restart"}).status_code == 200
    refused = ada.put(server.path + TOKEN, json={"answer": "good-token"})
    assert (refused.status_code, refused.json()["code"]) == (409, "guarded")
    assert Server.get_by_id(server.id).variables["STEAM_TOKEN"] == "old-token"


def test_another_image_is_chosen_among_the_blueprints(site: Site, ada: httpx.Client, friend: httpx.Client) -> None:
    server = site.offline("particular", client=ada)
    OpenPrompt.create(server=server.id, name="java_version", at=0.0, line="UnsupportedClassVersionError")
    assert prompts(server)["java_version"]["answer"] is None, "it runs in no container"
    with pytest.raises(Conflict, match="nothing to answer"):
        answers.before_restart(actor_of(ada), server.id, "java_version", "example.com/java:8")
    Server.update(runtime="docker").where(Server.id == server.id).execute()
    join(server, friend, "control.answer", "startup.update")
    try:
        assert prompts(server)["java_version"]["answer"]["choices"] == [
            {"value": "example.com/java:17", "label": "Java 17"},
            {"value": "example.com/java:8", "label": "Java 8"},
        ]
        assert prompts(server, friend)["java_version"]["answer"] is None
        wrong: list[tuple[httpx.Client, str, type[DomainError]]] = [
            (ada, "example.com/java:99", Invalid),
            (ada, "", Invalid),
            (friend, "example.com/java:8", Forbidden),
        ]
        for client, answer, error in wrong:
            with pytest.raises(error):
                answers.before_restart(actor_of(client), server.id, "java_version", answer)
        assert Server.get_by_id(server.id).image == ""
        answers.before_restart(actor_of(ada), server.id, "java_version", "example.com/java:8")
        assert Server.get_by_id(server.id).image == "example.com/java:8"
    finally:
        Server.update(runtime="process").where(Server.id == server.id).execute()


def test_what_takes_no_answer_is_not_answered(site: Site, ada: httpx.Client) -> None:
    server = site.offline("licensed", client=ada)
    assert server.power("start").status_code == 202
    wait_until(lambda: prompts(server), 20, "the question")
    assert prompts(server)["eula"]["answer"] is None
    refused = ada.put(f"{server.path}/prompts/eula", json={"answer": "true"})
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_answer")
    for body in ({}, {"answer": ""}, {"answer": 5}, {"answer": "x", "image": "y"}, {"answer": "x" * 2000}):
        assert ada.put(f"{server.path}/prompts/eula", json=body).status_code == 422


@pytest.mark.parametrize(
    ("line", "variable"),
    [
        ("./srcds_run +sv_setsteamaccount {{STEAM_ACC}} -norestart", "STEAM_ACC"),
        ("./srcds_run +sv_setsteamaccount  '{{ env.TOKEN }}'", "TOKEN"),
        ('./srcds_run +sv_setsteamaccount "${GSLT}"', "GSLT"),
        ("./srcds_run +sv_setsteamaccount $GSLT", "GSLT"),
        ("./srcds_run +sv_setsteamaccount abc", None),
        ("./srcds_run {{STEAM_ACC}}", None),
    ],
)
def test_the_tokens_variable_is_the_one_that_the_game_gets(line: str, variable: str | None) -> None:
    assert variable_for("gsl_token", line) == variable
    assert variable_for("eula", line) is None
