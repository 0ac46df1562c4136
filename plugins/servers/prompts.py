"""Questions of games that are open: kept while nobody has answered them, accepted or put aside by those who may."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stellar import audit
from stellar.auth.permissions import Actor
from stellar.db import Compiled, Param, after_commit, write_tx
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
    """What the game asks now, oldest first; what it takes for an answer is added by those who know the caller."""
    return [_view(KNOWN[name], at, line) for name, at, line in _open.all(server=server_id) if name in KNOWN]


def before_accept(actor: Actor, ref: str, name: str) -> tuple[Server, Prompt]:
    """The server and what it asks, after the plugins that may veto the restart that this can mean."""
    server = get_server(actor, ref, ANSWER)
    prompt = asked(server, name)
    if not prompt.accept:
        raise Conflict(f"There is nothing to accept here. {prompt.message}", code="nothing_to_accept")
    if prompt.restart:
        events.ask(actor, server, "restart")
    return server, prompt


def after_accept(actor: Actor, server: Server, prompt: Prompt) -> None:
    """Note what the node has done: the question is answered."""
    with write_tx():
        close(server, prompt.name)
        details = {"prompt": prompt.name, "accepted": prompt.accept}
        audit.record(actor, "server.prompt", target_type="server", target_id=server.id, details=details)


def dismiss(actor: Actor, ref: str, name: str) -> None:
    """Put a question aside without answering it; it comes again if the game asks again."""
    with write_tx():
        server = locked(actor, ref, ANSWER)
        close(server, asked(server, name).name)


def close(server: Server, name: str) -> None:
    """Forget a question, inside ``write_tx``."""
    OpenPrompt.delete().where(OpenPrompt.server == server, OpenPrompt.name == name).execute()
    after_commit(lambda: announce("server.updated", server.id))


def asked(server: Server, name: str) -> Prompt:
    """The prompt of this name; ``NotFound`` unless the game asks it now."""
    prompt = KNOWN.get(name)
    if prompt is None or not OpenPrompt.select().where(OpenPrompt.server == server, OpenPrompt.name == name).exists():
        raise NotFound("The game doesn't ask this now.")
    return prompt


def _view(prompt: Prompt, at: float, line: str) -> PromptView:
    return PromptView(
        name=prompt.name,
        title=prompt.title,
        message=prompt.message,
        accept=prompt.accept,
        line=line,
        link=link_in(prompt.name, line),
        at=datetime.fromtimestamp(at, UTC),
    )


def _build_open() -> Any:
    columns = (OpenPrompt.name, OpenPrompt.at, OpenPrompt.line)
    return (
        OpenPrompt.select(*columns).where(OpenPrompt.server == Param("server")).order_by(OpenPrompt.at, OpenPrompt.id)
    )


_open = Compiled(_build_open, lambda *row: row)
