"""What of an egg a blueprint can't say: nothing is left out in silence."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

MAX_NOTES = 500
MAX_TEXT = 300


class Note(msgspec.Struct, frozen=True):
    """Something that is otherwise than in the egg. ``path`` is where it is there, such as ``variables.PORT.rules``."""

    path: str
    problem: str

    __example__: ClassVar[dict[str, Any]] = {"path": "config.logs", "problem": "is not used"}


class Report:
    """The notes of one import, in order."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def add(self, path: str, problem: str) -> None:
        """Note something; what is said twice counts once."""
        note = Note(_short(path), _short(problem))
        if note not in self.notes and len(self.notes) < MAX_NOTES:
            self.notes.append(note)


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
