"""What the panel asks of a node itself; shared by both ends of the link."""

from __future__ import annotations

import msgspec


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """``nodes.new_key``: keep this key instead of the present one."""

    key: str


class Result(msgspec.Struct):
    """Done."""
