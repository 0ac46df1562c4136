"""Putting references to environment variables into a shell line, by the quotes that they stand in."""

from __future__ import annotations

import re
from collections.abc import Collection

from stellar.errors import Invalid

_PLAIN, _DOUBLE, _SINGLE, _COMMAND, _PARENTHESIS, _BRACE, _ARITHMETIC, _GROUP = (
    "plain",
    "double",
    "single",
    "command",
    "parenthesis",
    "brace",
    "arithmetic",
    "group",
)
_UNQUOTED = frozenset({_PLAIN, _COMMAND, _PARENTHESIS})
_CLOSERS = {_BRACE: "}", _ARITHMETIC: "))", _GROUP: ")"}
_WORD_ENDS = frozenset(" \t\n;&|()")


def shell_references(line: str, placeholder: re.Pattern[str], numeric: Collection[str]) -> str:
    """``line`` with each placeholder (its name is group 1) turned into a reference that stays one word.

    ``Invalid`` where a value could be read as code (arithmetic, but for ``numeric`` names, and inside ``${…}``),
    or where quoting can't be told (backquotes, here-documents, comments, unbalanced quotes).
    """
    return _Walk(line, placeholder, numeric).run()


class _Walk:
    def __init__(self, line: str, placeholder: re.Pattern[str], numeric: Collection[str]) -> None:
        self._line = line
        self._placeholder = placeholder
        self._numeric = numeric
        self._at = 0
        self._contexts = [_PLAIN]
        self._out: list[str] = []

    def run(self) -> str:
        while self._at < len(self._line):
            if found := self._placeholder.match(self._line, self._at):
                self._out.append(self._reference(found[1]))
                self._at = found.end()
            else:
                self._step()
        if self._contexts != [_PLAIN]:
            raise Invalid(f"The command has a quote or bracket that is never closed: {self._line[:200]!r}.")
        return "".join(self._out)

    def _reference(self, name: str) -> str:
        if _BRACE in self._contexts:
            raise Invalid(f"{{{{{name}}}}} can't stand inside ${{…}}; write the variable's name alone there.")
        if _ARITHMETIC in self._contexts and name not in self._numeric:
            raise Invalid(f"{{{{{name}}}}} can't stand inside $((…)): a shell could run its value as a command.")
        context = self._contexts[-1]
        if context in (_DOUBLE, _ARITHMETIC, _GROUP):
            return f"${{{name}}}"
        return f"'\"${{{name}}}\"'" if context == _SINGLE else f'"${{{name}}}"'

    def _step(self) -> None:
        context = self._contexts[-1]
        if context == _SINGLE:
            self._take(1, closes=self._line[self._at] == "'")
        elif context == _DOUBLE:
            self._step_double()
        elif context in _CLOSERS:
            self._step_expansion()
        else:
            self._step_unquoted()

    def _step_unquoted(self) -> None:
        character = self._line[self._at]
        if self._step_common(character):
            return
        if self._starts("<<"):
            raise Invalid("A here-document can't be used in a command; pass the text in another way.")
        if self._starts("(("):
            raise Invalid("((…)) can't be used in a command; write $((…)) or ( (…) ).")
        if character == "#" and (self._at == 0 or self._line[self._at - 1] in _WORD_ENDS):
            raise Invalid("A comment can't be used in a command; remove it from # on.")
        if character == "'":
            self._take(1, opens=_SINGLE)
        elif character == "(":
            self._take(1, opens=_PARENTHESIS)
        elif character == ")":
            if self._contexts[-1] == _PLAIN:
                raise Invalid("The command has a ) without a ( before it; quote it if it is meant as text.")
            self._take(1, closes=True)
        else:
            self._take(1)

    def _step_double(self) -> None:
        character = self._line[self._at]
        if character == '"':
            self._take(1, closes=True)
        elif not self._step_common(character):
            self._take(1)

    def _step_expansion(self) -> None:
        """Inside ``${…}``, ``$((…))`` or parentheses in the latter."""
        context, character = self._contexts[-1], self._line[self._at]
        if context == _BRACE and character == "'":
            raise Invalid("Single quotes can't be used inside ${…}; use double quotes.")
        if self._starts(_CLOSERS[context]):
            self._take(len(_CLOSERS[context]), closes=True)
        elif context != _BRACE and character == "(":
            self._take(1, opens=_GROUP)
        elif not self._step_common(character):
            self._take(1)

    def _step_common(self, character: str) -> bool:
        """What means the same in and out of double quotes; whether it was that."""
        if character == "`":
            raise Invalid("Backquotes can't be used in a command; write $(…).")
        if character in "\\$" and self._placeholder.match(self._line, self._at + 1):
            raise Invalid(f"A {character} can't stand before a placeholder.")
        if character == "\\":
            self._take(2)
        elif self._starts("$(("):
            self._take(3, opens=_ARITHMETIC)
        elif self._starts("$("):
            self._take(2, opens=_COMMAND)
        elif self._starts("${"):
            self._take(2, opens=_BRACE)
        elif self._starts("$'") and self._contexts[-1] in _UNQUOTED:
            raise Invalid("$'…' can't be used in a command: shells don't agree on it.")
        elif character == '"' and self._contexts[-1] != _DOUBLE:
            self._take(1, opens=_DOUBLE)
        else:
            return False
        return True

    def _starts(self, text: str) -> bool:
        return self._line.startswith(text, self._at)

    def _take(self, count: int, *, opens: str | None = None, closes: bool = False) -> None:
        self._out.append(self._line[self._at : self._at + count])
        self._at += count
        if closes:
            self._contexts.pop()
        if opens is not None:
            self._contexts.append(opens)
