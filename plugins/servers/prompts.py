"""Questions of games that are open: kept while nobody has answered them, accepted or put aside by those who may."""

from __future__ import annotations

import msgspec

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.db import after_commit, write_tx
from stellar.errors import Conflict, Invalid, NotFound

from . import events
from .known_prompts import KNOWN, link_in
from .models import OpenPrompt, Server
from .schemas import PromptView
from .service import announce, get_server, locked
from .spec import Prompt

ANSWER = "control.answer"


def opened(server: Server, name: str, at: float, line: str) -> Prompt:
    """Keep a question that a node reports, once; ``Invalid`` for one that the panel doesn't know."""
    prompt = KNOWN.get(name)
    if prompt is None:
        raise Invalid(f"the panel knows no prompt {name!r}")
    OpenPrompt.delete().where(OpenPrompt.server == server, OpenPrompt.name == name).execute()
    OpenPrompt.create(server=server, name=name, at=at, line=line)
    return prompt


def outdated(server: Server, before: float) -> None:
    """The game starts anew: what it asked earlier is over, and comes again if it still holds."""
    OpenPrompt.delete().where(OpenPrompt.server == server, OpenPrompt.at <= before).execute()


def open_prompts(server_id: str) -> list[PromptView]:
    """What the game asks now, oldest first."""
    rows = OpenPrompt.select().where(OpenPrompt.server == server_id).order_by(OpenPrompt.at, OpenPrompt.id)
    return [_view(row, KNOWN[row.name]) for row in rows if row.name in KNOWN]


def before_accept(actor: Actor, ref: str, name: str) -> tuple[Server, Prompt]:
    """The server and what it asks, after the plugins that may veto the restart that this can mean."""
    server = get_server(actor, ref, ANSWER)
    prompt = _asked(server, name)
    if not prompt.accept:
        raise Conflict(f"There is nothing to accept here. {prompt.message}", code="nothing_to_accept")
    if prompt.restart:
        events.ask(actor, server, "restart")
    return server, prompt


def after_accept(actor: Actor, server: Server, prompt: Prompt) -> None:
    """Note what the node has done: the question is answered."""
    with write_tx():
        _close(server, prompt)
        details = {"prompt": prompt.name, "accepted": prompt.accept}
        audit.record(actor, "server.prompt", target_type="server", target_id=server.id, details=details)


def dismiss(actor: Actor, ref: str, name: str) -> None:
    """Put a question aside without answering it; it comes again if the game asks again."""
    with write_tx():
        server = locked(actor, ref, ANSWER)
        _close(server, _asked(server, name))


def _close(server: Server, prompt: Prompt) -> None:
    OpenPrompt.delete().where(OpenPrompt.server == server, OpenPrompt.name == prompt.name).execute()
    after_commit(lambda: announce("server.updated", server.id))


def _asked(server: Server, name: str) -> Prompt:
    prompt = KNOWN.get(name)
    if prompt is None or not OpenPrompt.select().where(OpenPrompt.server == server, OpenPrompt.name == name).exists():
        raise NotFound("The game doesn't ask this now.")
    return prompt


def _view(row: OpenPrompt, prompt: Prompt) -> PromptView:
    shown = msgspec.structs.asdict(prompt)
    about = {key: shown[key] for key in ("name", "title", "message", "accept")}
    return PromptView(**about, line=row.line, link=link_in(row.name, row.line), at=row.when)
