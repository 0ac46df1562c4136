"""Regular expressions as PHP writes them (``/…/i``), in the dialect of the ``regex`` package.

What has no equal there (calls of groups, verbs, callouts) is refused; nothing is changed in silence.
"""

from __future__ import annotations

import re

import regex

from stellar.errors import Invalid

from .expressions import Expression

CLOSERS = {"(": ")", "[": "]", "{": "}", "<": ">"}
FLAGS = "imsxADSUXJun"
"""``S``, ``U``, ``X``, ``J`` and ``n`` don't change whether something matches."""

_HORIZONTAL = r"\t\x20\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000"
_VERTICAL = r"\n\x0b\f\r\x85\u2028\u2029"
_OUTSIDE = {
    "h": f"[{_HORIZONTAL}]",
    "H": f"[^{_HORIZONTAL}]",
    "v": f"[{_VERTICAL}]",
    "V": f"[^{_VERTICAL}]",
    "R": f"(?>\\r\\n|[{_VERTICAL}])",
    "N": r"[^\n]",
    "Z": r"(?=\n?\Z)",
    "z": r"\Z",
    "e": r"\x1b",
    "a": r"\x07",
    "K": "",
    **{letter: f"\\{letter}" for letter in "dDwWsSbBAGXtnrf"},
}
_INSIDE = {
    "h": _HORIZONTAL,
    "v": _VERTICAL,
    "e": r"\x1b",
    "a": r"\x07",
    "b": r"\x08",
    **{letter: f"\\{letter}" for letter in "dDwWsStnrf"},
}
_QUANTIFIER = re.compile(r"\{\d{1,5}(?:,\d{0,5})?\}", re.ASCII)
_NAMED = re.compile(r"\(\?P?(?:<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')", re.ASCII)
_INLINE = re.compile(r"\(\?([a-zA-Z^-]*)([:)])")
_LOOK = re.compile(r"\(\?(?:<?[=!]|>|\||:)")
_CALL = re.compile(r"\(\?(?:R|&|P>|[+-]?\d)", re.ASCII)
_CONDITION = re.compile(r"\(\?\(\d{1,2}\)", re.ASCII)
_BACK = re.compile(r"\\(?:k(?:<(\w+)>|\{(\w+)\}|'(\w+)')|g\{?(-?\w+)\}?)", re.ASCII)
_SAME = re.compile(r"\(\?P=\w+\)", re.ASCII)
_POSIX = re.compile(r"\[:\^?[a-z]+:\]")
_PROPERTY = re.compile(r"\\[pP](?:\{(\^?)([A-Za-z_& ]{1,40})\}|([A-Z]))")
_CODE = re.compile(r"\\(?:x\{([0-9A-Fa-f]{1,6})\}|x([0-9A-Fa-f]{0,2})|o\{([0-7]{1,7})\}|(0[0-7]{0,2}))")


def compile_pcre(written: str) -> Expression:
    """Delimiters, pattern and flags as one expression; ``Invalid`` says why it can't be."""
    pattern, flags = parts(written)
    translated = translate(pattern, flags)
    number = regex.VERSION1 | (0 if "u" in flags else regex.ASCII)
    for letter, flag in (("i", regex.IGNORECASE), ("m", regex.MULTILINE), ("s", regex.DOTALL), ("x", regex.VERBOSE)):
        number |= flag if letter in flags else 0
    return Expression(translated, flags=number, written=pattern)


def parts(written: str) -> tuple[str, str]:
    """Pattern and flags of ``/pattern/flags``; any delimiter that PHP takes will do."""
    opener = written[:1]
    if not opener or opener.isalnum() or opener.isspace() or opener == "\\":
        raise Invalid("A regular expression has to be written /…/ or /…/i.")
    closer = CLOSERS.get(opener, opener)
    end = written.rfind(closer)
    if end < 1:
        raise Invalid(f"A regular expression has to be written /…/ or /…/i; there is no {closer} at the end of this.")
    flags = written[end + 1 :].strip()
    if unknown := set(flags) - set(FLAGS):
        raise Invalid(f"A regular expression has no flag {sorted(unknown)[0]!r}; it has to be written /…/ or /…/i.")
    pattern = written[1:end]
    if opener not in CLOSERS:
        pattern = pattern.replace(f"\\{closer}", closer if closer not in ".^$*+?|()[]{}" else f"\\{closer}")
    return pattern, flags


def translate(pattern: str, flags: str = "") -> str:
    """``pattern`` for the ``regex`` package (``VERSION1``); ``Invalid`` for what that can't do."""
    text = _Translation(pattern, flags).run()
    return f"\\A(?:{text})" if "A" in flags else text


class _Translation:
    def __init__(self, pattern: str, flags: str) -> None:
        self._text = pattern
        self._flags = flags
        self._at = 0
        self._groups = 0

    def run(self) -> str:
        for verb in ("(*UTF8)", "(*UTF)", "(*UCP)"):
            self._text = self._text.removeprefix(verb)
        out = []
        while self._at < len(self._text):
            out.append(self._step())
        return "".join(out)

    def _step(self) -> str:
        character = self._text[self._at]
        if character == "\\":
            return self._escape()
        if character == "[":
            return self._class()
        if character == "(":
            return self._group()
        if character == "{":
            found = self._take(_QUANTIFIER)
            return found[0] if found else self._literal()
        if character in "]}":
            return self._literal()
        if character == "#" and "x" in self._flags:
            end = self._text.find("\n", self._at)
            self._at = len(self._text) if end < 0 else end
            return ""
        self._at += 1
        if character == "$" and "m" not in self._flags:
            return r"\Z" if "D" in self._flags else r"(?=\n?\Z)"
        return character

    def _literal(self) -> str:
        self._at += 1
        return f"\\{self._text[self._at - 1]}"

    def _take(self, kind: re.Pattern[str]) -> re.Match[str] | None:
        found = kind.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found

    def _escape(self) -> str:
        if self._text.startswith("\\Q", self._at):
            return regex.escape(self._quoted())
        if found := self._take(_PROPERTY):
            return _property(found)
        if found := self._take(_CODE):
            return regex.escape(_character(found))
        if found := self._take(_BACK):
            return self._back(found)
        letter = self._text[self._at + 1 : self._at + 2]
        if not letter:
            raise Invalid("The regular expression ends in a backslash.")
        self._at += 2
        if letter.isdigit():
            while self._text[self._at : self._at + 1].isdigit() and len(letter) < 2:
                letter += self._text[self._at]
                self._at += 1
            return f"(?:\\{letter})"
        if letter in _OUTSIDE:
            return _OUTSIDE[letter]
        if letter.isascii() and letter.isalpha():
            raise Invalid(f"The regular expression has \\{letter}, which is not known.")
        return regex.escape(letter)

    def _quoted(self) -> str:
        end = self._text.find("\\E", self._at)
        end = len(self._text) if end < 0 else end
        quoted = self._text[self._at + 2 : end]
        self._at = end + 2
        return quoted

    def _back(self, found: re.Match[str]) -> str:
        name = next(part for part in found.groups() if part is not None)
        if name.startswith("-"):
            number = self._groups + 1 - int(name[1:])
            if number < 1:
                raise Invalid(f"The regular expression refers to a group that isn't there: {found[0]}.")
            return f"(?:\\{number})"
        if not name.isdigit() and found[4] is not None and "{" not in found[0]:
            raise Invalid(f"The regular expression calls a group ({found[0]}), which is not allowed.")
        return f"\\g<{name}>"

    def _group(self) -> str:
        rest = self._text[self._at : self._at + 4]
        if rest.startswith("(*"):
            raise Invalid("The regular expression has a verb, (*…), which is not known.")
        if rest.startswith("(?#"):
            end = self._text.find(")", self._at)
            if end < 0:
                raise Invalid("The regular expression has a comment that never ends.")
            self._at = end + 1
            return ""
        if not rest.startswith("(?"):
            self._at += 1
            self._groups += 1
            return "("
        if found := self._take(_NAMED):
            self._groups += 1
            return f"(?P<{found[1] or found[2]}>"
        if found := self._take(_LOOK):
            return found[0]
        if found := self._take(_CONDITION):
            return found[0]
        if found := self._take(_SAME):
            return found[0]
        if _CALL.match(self._text, self._at):
            raise Invalid(f"The regular expression calls itself with {rest}…, which is not allowed.")
        if found := self._take(_INLINE):
            return self._inline(found)
        raise Invalid(f"The regular expression has {rest}…, which is not known.")

    def _inline(self, found: re.Match[str]) -> str:
        on, _, off = found[1].partition("-")
        if unknown := set(on + off) - set("imsxUJXn^"):
            raise Invalid(f"The regular expression has the inline flag {sorted(unknown)[0]}, which is not known.")
        if "x" in on:
            self._flags += "x"
        on, off = (re.sub("[^imsx]", "", part) for part in (on, off))
        if not on and not off:
            return "(?:" if found[2] == ":" else ""
        return f"(?{on}{'-' + off if off else ''}{found[2]}"

    def _class(self) -> str:
        self._at += 1
        out = "["
        if self._text.startswith("^", self._at):
            self._at += 1
            out += "^"
        first = True
        while first or not self._text.startswith("]", self._at):
            if self._at >= len(self._text):
                raise Invalid("The regular expression has a [ that is never closed.")
            out += self._member()
            first = False
        self._at += 1
        return out + "]" if out not in ("[", "[^") else "(?!)"

    def _member(self) -> str:
        """One member of a class, or a range of them; a ``-`` that makes no range is text."""
        low, single = self._item()
        if (
            not single
            or not self._text.startswith("-", self._at)
            or self._text[self._at + 1 : self._at + 2] in ("]", "")
        ):
            return low
        before = self._at
        self._at += 1
        high, single = self._item()
        if not single:
            self._at = before + 1
            return f"{low}\\-"
        return f"{low}-{high}"

    def _item(self) -> tuple[str, bool]:
        """A member, and whether it is a single character."""
        character = self._text[self._at]
        if character == "[" and (found := self._take(_POSIX)):
            return found[0], False
        if character != "\\":
            self._at += 1
            return _escaped(character), True
        if self._text.startswith("\\Q", self._at):
            return "".join(map(_escaped, self._quoted())), False
        if self._text.startswith("\\E", self._at):
            self._at += 2
            return "", False
        if found := self._take(_PROPERTY):
            return _property(found), False
        if found := self._take(_CODE):
            return _escaped(_character(found)), True
        letter = self._text[self._at + 1 : self._at + 2]
        if not letter:
            raise Invalid("The regular expression has a [ that is never closed.")
        self._at += 2
        if letter in _INSIDE:
            return _INSIDE[letter], letter in "eabtnrf"
        if letter.isascii() and letter.isalnum():
            raise Invalid(f"The regular expression has \\{letter} between [ and ], which is not known there.")
        return _escaped(letter), True


def _escaped(character: str) -> str:
    """A character as a member of a class, where the ``regex`` package knows operators that PHP doesn't."""
    return character if character.isalnum() or character == "_" or ord(character) > 127 else f"\\x{ord(character):02x}"


def _property(found: re.Match[str]) -> str:
    name = found[2] or found[3]
    negated = found[0].startswith("\\P") != bool(found[1])
    return f"\\{'P' if negated else 'p'}{{{name.strip()}}}"


def _character(found: re.Match[str]) -> str:
    written = found[1] if found[1] is not None else found[2]
    code = int(written or "0", 16) if written is not None else int(found[3] or found[4], 8)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise Invalid(f"The regular expression has {found[0]}, which is no character.")
    return chr(code)
