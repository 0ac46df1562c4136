"""A value to be set in a config file, with its placeholders filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

Scalar = str | int | float | bool

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_BOOLEANS: Final = {"true": True, "false": False}


@dataclass(frozen=True)
class Value:
    """One value. ``free``: the text of a single placeholder, so its type is to be found out."""

    raw: Scalar
    free: bool = False

    def text(self) -> str:
        """For a file that knows only text."""
        return str(self.raw).lower() if isinstance(self.raw, bool) else str(self.raw)

    def typed(self, old: object) -> Scalar:
        """For a file with types, in the place of ``old`` (None: nothing)."""
        if not self.free or not isinstance(self.raw, str) or isinstance(old, str):
            return self.raw
        if _INTEGER.fullmatch(self.raw):
            return int(self.raw)
        return _BOOLEANS.get(self.raw.lower(), self.raw)


def split_key(key: str) -> list[str]:
    r"""A key's levels; ``\.`` is a dot within one."""
    return [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", key)]
