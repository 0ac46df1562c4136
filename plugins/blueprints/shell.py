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
_CALCULATED = frozenset("0123456789 +-*/%<>=!&|^~?:")
"""What may stand in arithmetic: a variable there is evaluated once more, and some shells run what it holds."""
_WORD_ENDS = frozenset(" \t\n;&|()")


def shell_references(line: str, placeholder: re.Pattern[str], numeric: Collection[str], form: str = "${%s}") -> str:
    """``line`` with each placeholder (its name is group 1) turned into a reference that stays one word.

    ``form`` is how a reference is written.
    ``Invalid`` where a value could be read as code (arithmetic, but for ``numeric`` names, and inside ``${…}``),
    or where quoting can't be told (backquotes, here-documents, comments, unbalanced quotes).
    """
    return _Walk(line, placeholder, numeric, form).run()


class _Walk:
    def __init__(self, line: str, placeholder: re.Pattern[str], numeric: Collection[str], form: str) -> None:
        self._line = line
        self._form = form
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
        context = self._contexts[-1]
        if _BRACE in self._contexts:
            raise Invalid(f"{{{{{name}}}}} can't stand inside ${{…}}; write the variable's name alone there.")
        if context in (_ARITHMETIC, _GROUP) and name not in self._numeric:
            raise Invalid(f"{{{{{name}}}}} can't stand inside $((…)): a shell could run its value as a command.")
        reference = self._form % name
        if context in (_DOUBLE, _ARITHMETIC, _GROUP):
            return reference
        return f"'\"{reference}\"'" if context == _SINGLE else f'"{reference}"'

    def _step(self) -> None:
        context = self._contexts[-1]
        if context == _SINGLE:
            self._take(1, closes=self._line[self._at] == "'")
        elif context == _DOUBLE:
            self._step_double()
        elif context == _BRACE:
            self._step_brace()
        elif context in (_ARITHMETIC, _GROUP):
            self._step_arithmetic()
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

    def _step_brace(self) -> None:
        """Inside ``${…}``."""
        character = self._line[self._at]
        if character == "'":
            raise Invalid("Single quotes can't be used inside ${…}; use double quotes.")
        if character == "}":
            self._take(1, closes=True)
        elif not self._step_common(character):
            self._take(1)

    def _step_arithmetic(self) -> None:
        """Inside ``$((…))``, or parentheses in it."""
        closer = "))" if self._contexts[-1] == _ARITHMETIC else ")"
        character = self._line[self._at]
        if self._starts(closer):
            self._take(len(closer), closes=True)
        elif character == "(":
            self._take(1, opens=_GROUP)
        elif character in _CALCULATED:
            self._take(1)
        else:
            raise Invalid(f"Inside $((…)) only numbers, operators and {', '.join(sorted(self._numeric))} can stand.")

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
