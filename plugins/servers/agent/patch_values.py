"""What is to be set in a config file, with its placeholders filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stellar.plugins.blueprints.expressions import Expression
from stellar.plugins.blueprints.patterns import REGEX_PREFIX

from ..spec import Scalar

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}")
_BOOLEANS: Final = {"true": True, "false": False}


@dataclass(frozen=True)
class Value:
    """One value. ``free``: the text of a single placeholder, so its type is to be found out."""

    raw: Scalar
    free: bool = False

    def over(self, _old: object) -> Value | None:
        """What to write in the place of ``old``."""
        return self

    def text(self) -> str:
        """For a file that knows only text."""
        return _text(self.raw)

    def typed(self, old: object) -> Scalar:
        """For a file with types, in the place of ``old`` (None: nothing), whose type stays where that is possible."""
        if not isinstance(self.raw, str) or isinstance(old, str) or (not self.free and old is None):
            return self.raw
        if _INTEGER.fullmatch(self.raw):
            return int(self.raw)
        if isinstance(old, float) and _FLOAT.fullmatch(self.raw):
            return float(self.raw)
        return _BOOLEANS.get(self.raw.lower(), self.raw)


@dataclass(frozen=True)
class Choices:
    """What becomes of old values, by their text or by ``regex:…``; any other stays, and so does a missing one."""

    options: Mapping[str, Value]

    def over(self, old: object) -> Value | None:
        """What to write in the place of ``old``, None to leave it.

        ``Invalid`` for a broken expression, ``TimeoutError`` for one that takes too long.
        """
        if not isinstance(old, str | int | float):
            return None
        before = _text(old)
        for wanted, value in self.options.items():
            if not wanted.startswith(REGEX_PREFIX):
                if wanted == before:
                    return value
                continue
            after = Expression(wanted.removeprefix(REGEX_PREFIX)).replace(value.text(), before)
            if after is not None:
                return Value(after, free=True)
        return None


Change = Value | Choices


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def split_key(key: str) -> list[str]:
    r"""A key's levels; ``\.`` is a dot within one."""
    return [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", key)]
