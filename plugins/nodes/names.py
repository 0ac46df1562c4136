"""What nodes and locations may be called, besides what their schemas say."""

from __future__ import annotations

import re

from stellar.errors import Invalid
from stellar.text import tidy

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def check_name(name: str) -> str:
    """A name; ``Invalid`` for one that looks like an id, by which another thing would be found."""
    if _ID.fullmatch(name):
        raise Invalid("The name can't look like an id.", fields={"name": "looks like an id"})
    return name


def check_text(field: str, text: str) -> str:
    """A note as it is kept; ``Invalid`` for characters that can't be seen, other than line breaks."""
    tidied = tidy(text, lines=True)
    if tidied is None:
        raise Invalid(f"The {field} may not hold control characters.", fields={field: "holds control characters"})
    return tidied
