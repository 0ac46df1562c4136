"""The section ``[blueprints]``."""

from __future__ import annotations

import msgspec


class BlueprintsSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``private_addresses``: whether blueprints are fetched from local networks and this machine, too."""

    private_addresses: bool = False
