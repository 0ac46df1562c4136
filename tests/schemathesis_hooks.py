"""Loaded by ``schemathesis run``: who asks, what a run must not destroy, and checks of our own.

``SCHEMATHESIS_SCENE`` names the file that ``schemathesis_parts`` has written for this process.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import schemathesis
from schemathesis import AuthContext, Case, CheckContext, HookContext, Response

SCENE: dict[str, Any] = json.loads(Path(os.environ["SCHEMATHESIS_SCENE"]).read_text("utf-8"))
ENDS_SESSION = "POST /api/v1/auth/signout"
DESTROYS = {
    "DELETE /api/v1/servers/{server_id}",
    "POST /api/v1/servers/{server_id}/suspend",
    "DELETE /api/v1/nodes/{node_id}",
    "POST /api/v1/nodes/{node_id}/drain",
    "POST /api/v1/nodes/{node_id}/revoke",
    "POST /api/v1/admin/nodes/{node_id}/token",
    "DELETE /api/v1/admin/users/{user_id}",
    "PATCH /api/v1/admin/users/{user_id}",
    "POST /api/v1/admin/users/{user_id}/suspend",
}
"""What would leave nothing for the other operations to work on; it gets one of ``spares`` instead."""
NEWCOMERS = {"/api/v1/auth/signup", "/api/v1/admin/users"}
"""Where an address that is known already is refused."""
PARSER = re.compile(r"Expected `|This field|out of range|given twice|can't be null")
"""How the parsers of bodies and queries say what is wrong; the rules that come after them speak otherwise."""
FREE = {"PUT /api/v1/admin/settings/{key}"}
"""The type of a setting's value depends on the setting, which a description can't say."""


def _alive() -> Iterator[tuple[str, str]]:
    for token, csrf in SCENE["sessions"]:
        answer = requests.get(f"{SCENE['url']}/api/v1/auth/session", cookies={SCENE["cookie"]: token}, timeout=30)
        if answer.status_code == requests.codes.ok:
            yield token, csrf


if SCENE["sessions"]:
    sessions = _alive()

    @schemathesis.auth(cache_by_key=lambda case, _: case.id if case.operation.label == ENDS_SESSION else "")
    class SignedIn:
        """A session of the caller, and another one as soon as that has ended; signing out has one for each case."""

        def get(self, case: Case, context: AuthContext) -> tuple[str, str]:
            """The next session that still works."""
            return next(sessions)

        def set(self, case: Case, data: tuple[str, str], context: AuthContext) -> None:
            """What a browser sends."""
            token, csrf = data
            case.cookies = {**(case.cookies or {}), SCENE["cookie"]: token}
            case.headers = {**(case.headers or {}), "X-CSRF-Token": csrf}


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Say in the examples what exists for the caller: from there the systematic requests begin."""
    for path, methods in raw_schema["paths"].items():
        known = {**SCENE["values"], **({"body.email": ["newcomer@example.org"]} if path in NEWCOMERS else {})}
        for operation in methods.values():
            for parameter in operation["parameters"]:
                if values := known.get(f"{parameter['in']}.{parameter['name']}"):
                    parameter["example"] = values[-1:] if parameter["schema"].get("type") == "array" else values[0]
            for content in operation.get("requestBody", {}).get("content", {}).values():
                for example in content.get("examples", {}).values():
                    fields = {name: known[f"body.{name}"][0] for name in example["value"] if f"body.{name}" in known}
                    example["value"] = {**example["value"], **fields}


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """Spare what the rest of the run stands on."""
    if case.operation.label not in DESTROYS or not case.path_parameters:
        return
    for name, value in case.path_parameters.items():
        case.path_parameters[name] = SCENE["spares"].get(value, value)


@schemathesis.check
def what_is_described_is_parsed(ctx: CheckContext, response: Response, case: Case) -> None:
    """A 422 for what the description allows is the word of a rule that it can't express, not of a parser."""
    valid = case.meta is not None and case.meta.generation.mode.is_positive
    if response.status_code == requests.codes.unprocessable and valid and case.operation.label not in FREE:
        found = response.json()
        complaints = [found["detail"], *found.get("errors", {}).values()]
        assert not any(map(PARSER.search, complaints)), complaints


@schemathesis.check
def only_a_node_is_away(ctx: CheckContext, response: Response, case: Case) -> None:
    """The one 5xx that is no defect: a node that has no agent."""
    if response.status_code == requests.codes.service_unavailable:
        assert response.json()["code"] == "node_unreachable", response.text


@schemathesis.check
class EnoughIsReached:
    """A run of a caller who can do nothing any more finds nothing."""

    def __init__(self) -> None:
        self.reached: set[str] = set()

    def after_response(self, ctx: CheckContext, response: Response, case: Case) -> None:
        """Note what works."""
        if case.method == case.operation.method.upper() and response.status_code < requests.codes.multiple_choices:
            self.reached.add(case.operation.label)

    def after_run(self, ctx: CheckContext) -> None:
        """Compare with what the caller can do."""
        assert len(self.reached) >= SCENE["reach"], f"only {len(self.reached)} operations worked: {self.reached}"
