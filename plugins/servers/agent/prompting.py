"""Finding a game's known prompts, such as a licence to agree to, in what it prints."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from stellar.errors import DomainError
from stellar.plugins.blueprints.patterns import REGEX_PREFIX, DoneMatcher, PlainText, compile_done

from ..spec import Prompt
from .server import Server

log = logging.getLogger(__name__)

PAUSE = 0.25
"""Seconds between two looks at what a server keeps printing."""
SCAN_BYTES = 128 * 1024
MAX_BEHIND = 1024 * 1024
"""Bytes; of a server that prints so much faster than it is looked at, only the end is."""
MAX_LINE = 500
"""Characters of the line that are told to the panel."""


class PromptWatch:
    """Tells the panel of each known prompt once a run; costs nothing for a server that knows none."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._position = server.console.end
        self._finder = PromptFinder(())
        self._timer: asyncio.TimerHandle | None = None
        server.on_output.append(lambda _end: self._wake())

    def begin(self) -> None:
        """A new run begins with what is printed from now on."""
        self._server.record.prompted = []
        self._from(self._server.console.end)

    def resume(self, log_start: int) -> None:
        """Look at what a run of an earlier agent has printed meanwhile."""
        self._from(max(log_start, self._server.console.end - MAX_BEHIND))
        self._wake()

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _from(self, position: int) -> None:
        self._position = position
        self._finder = PromptFinder(self._server.spec.prompts)

    def _wake(self) -> None:
        if self._server.spec.prompts and self._timer is None and self._server.state != "installing":
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._scan)

    def _scan(self) -> None:
        self._timer = None
        end = self._server.console.end
        if end - self._position > MAX_BEHIND:
            self._from(end - SCAN_BYTES)
        start, data = self._server.console.read(self._position, SCAN_BYTES)
        self._position = start + len(data)
        for prompt, line in self._finder.find(data):
            self._tell(prompt, line)
        if self._position < end:
            self._wake()

    def _tell(self, prompt: Prompt, line: str) -> None:
        record = self._server.record
        if prompt.name in record.prompted:
            return
        record.prompted = [*record.prompted, prompt.name]
        self._server.save()
        data = {"name": prompt.name, "at": time.time(), "line": line[:MAX_LINE]}
        self._server.context.report("server.prompt", self._server.id, data)


class PromptFinder:
    """Fed a run's output piece by piece. Literal text is found in any case, and in one pass over each piece."""

    def __init__(self, prompts: Sequence[Prompt]) -> None:
        self._text = PlainText()
        self._literals: list[tuple[bytes, Prompt]] = []
        self._expressions: list[tuple[DoneMatcher, Prompt]] = []
        for prompt in prompts:
            try:
                self._add(prompt)
            except DomainError as error:
                log.warning("the prompt %s can't be looked for: %s", prompt.name, error)

    def find(self, data: bytes) -> list[tuple[Prompt, str]]:
        """The prompts in this piece, each with its line as text."""
        if not self._literals and not self._expressions:
            return []
        text = self._text.feed(data)
        folded = text.lower()
        found = [(prompt, _line(text, folded.find(literal))) for literal, prompt in self._literals if literal in folded]
        return found + [(prompt, "") for matcher, prompt in self._expressions if matcher.feed(data)]

    def _add(self, prompt: Prompt) -> None:
        if prompt.match.startswith(REGEX_PREFIX):
            self._expressions.append((compile_done([prompt.match]), prompt))
        elif prompt.match:
            self._literals.append((prompt.match.encode("utf-8", "replace").lower(), prompt))


def _line(text: bytes, at: int) -> str:
    """The whole line around an offset."""
    start, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
    return text[start : len(text) if end < 0 else end].decode("utf-8", "replace").strip()
