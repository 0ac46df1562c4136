"""Answers to what games ask, where more is needed than to agree: another image, or the value of a variable.

An answer becomes a setting of the server, by the rules and with the permissions of that setting; then the game is
started again.
"""

from __future__ import annotations

from typing import Any

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.db import write_tx
from stellar.errors import Conflict, Invalid
from stellar.plugins.blueprints.service import document_of
from stellar.plugins.blueprints.structs import Blueprint as Document

from . import changes, events, prompts
from .known_prompts import IMAGES, variable_for
from .models import Server
from .schemas import AnswerChoice, PromptAnswer
from .service import get_server
from .specs import chosen_image, chosen_startup

IMAGE = "image"


def wanted(server: Server, document: Document, name: str) -> PromptAnswer | None:
    """What this prompt takes of this server; None where it takes nothing."""
    if name in IMAGES:
        return _image(server, document)
    env = variable_for(name, chosen_startup(server, document))
    variable = next((one for one in document.variables if one.env == env), None)
    return None if variable is None else PromptAnswer(variable.env, variable.label)


def offered(actor: Actor, server: Server, document: Document, name: str) -> PromptAnswer | None:
    """What ``actor`` may answer; None for those who may not set what the answer changes."""
    answer = wanted(server, document, name)
    if answer is None or not all(actor.allowed(action, server) for action in (prompts.ANSWER, "startup.update")):
        return None
    if answer.setting == IMAGE:
        return answer if actor.allowed("startup.image", server) else None
    variable = next(one for one in document.variables if one.env == answer.setting)
    return answer if actor.is_admin or (variable.user_viewable and variable.user_editable) else None


def before_restart(actor: Actor, ref: str, name: str, answer: str) -> Server:
    """Keep the answer, after the plugins that may veto the restart; ``Conflict`` for a prompt that takes none.

    ``Invalid`` names the field ``answer`` where the rules of its setting don't allow it.
    """
    server = get_server(actor, ref, prompts.ANSWER)
    prompt = prompts.asked(server, name)
    field = wanted(server, document_of(server.blueprint), name)
    if field is None:
        raise Conflict(f"There is nothing to answer here. {prompt.message}", code="nothing_to_answer")
    if field.choices and answer not in {choice.value for choice in field.choices}:
        names = ", ".join(choice.value for choice in field.choices)
        raise Invalid(f"The answer has to be one of {names}.", fields={"answer": f"has to be one of {names}"})
    events.ask(actor, server, "restart")
    variables, image = ({}, answer) if field.setting == IMAGE else ({field.setting: answer}, None)
    try:
        changes.change_startup(actor, server.id, variables, image=image)
    except Invalid as error:
        problem = error.fields.get(f"variables.{field.setting}", error.message)
        raise Invalid(error.message, fields={"answer": problem}) from None
    return server


def after_restart(actor: Actor, server: Server, name: str) -> None:
    """Note that the server starts again: the question is answered. The answer may be a secret, and isn't noted."""
    with write_tx():
        prompts.close(server, name)
        details: dict[str, Any] = {"prompt": name, "answered": True}
        audit.record(actor, "server.prompt", target_type="server", target_id=server.id, details=details)


def _image(server: Server, document: Document) -> PromptAnswer | None:
    """The blueprint's other images, where it runs in one."""
    docker = document.runtimes.docker
    if docker is None or server.runtime != "docker":
        return None
    used = chosen_image(server, document)
    choices = [AnswerChoice(one.image, one.name) for one in docker.images if one.image != used]
    return PromptAnswer(IMAGE, "Container image", choices) if choices else None
