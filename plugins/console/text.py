"""Terminal output as text: every byte accounted for, or without its control codes."""

from __future__ import annotations

import codecs
import re

_ERRORS = "stellar.question_marks"

_LONGEST_SEQUENCE = 4096
"""Characters; an escape sequence that has not ended by then is none."""

_SEQUENCE = re.compile(
    r"""
    \x1b\[ [0-?]* [ -/]* [@-~]                       # CSI: colours, cursor movement, modes
  | \x1b\] [^\x07\x1b]* (?: \x07 | \x1b\\ )          # OSC: titles, links
  | \x1b [PX^_] [^\x1b]* \x1b\\                      # DCS, SOS, PM, APC
  | \x1b [ -/]+ [0-~]                                # charset selects and the like
  | \x1b [0-OQ-WYZ\\`-~]                             # single: save cursor, reset, ...
    """,
    re.VERBOSE,
)
_UNFINISHED = re.compile(
    r"""
    \x1b (?:
        \[ [0-?]* [ -/]*
      | \] [^\x07\x1b]* \x1b?
      | [PX^_] [^\x1b]* \x1b?
      | [ -/]*
    ) \Z
  | \r \Z
    """,
    re.VERBOSE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]")


def decode(data: bytes) -> tuple[str, int]:
    """Text and how many bytes it stands for; an incomplete character at the end is left out.

    Each byte that isn't UTF-8 becomes ``?``, so that the text encodes to exactly that many bytes.
    """
    return codecs.utf_8_decode(data, _ERRORS, False)


def question_marks(data: bytes) -> str:
    """Text of as many bytes for a character that never became complete."""
    return "?" * len(data)


def line_start(data: bytes) -> int:
    """Where to begin with output that was cut out of a longer one: after the first line break.

    Without a line break, at the first byte that can begin a character.
    """
    found = data.find(b"\n")
    if found >= 0:
        return found + 1
    for index, byte in enumerate(data[:3]):
        if byte & 0xC0 != 0x80:
            return index
    return min(3, len(data))


def settled(text: str) -> str:
    """``text`` without an escape sequence or a line break that has begun at its end and may go on."""
    found = _UNFINISHED.search(text, max(0, len(text) - _LONGEST_SEQUENCE))
    return text if found is None else text[: found.start()]


def plain(text: str) -> str:
    """``text`` without escape sequences and control characters; lines end in ``\\n``."""
    return _CONTROL.sub("", _SEQUENCE.sub("", text)).replace("\r\n", "\n")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "?" * (error.end - error.start), error.end


codecs.register_error(_ERRORS, _mark)
