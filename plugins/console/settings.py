"""The section ``[console]``."""

from __future__ import annotations

from typing import Annotated

import msgspec


class ConsoleSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``token_minutes``: how long a console token lasts before it has to be renewed."""

    token_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 10
