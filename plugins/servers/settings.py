"""The section ``[servers]``."""

from __future__ import annotations

import msgspec


class ServersSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``user_limit``: how many servers an account that isn't an administrator's may have; 0: they can't make any.

    ``allocation_limit``: up to how many ports a server can be given more; what its blueprint asks for it always gets.
    """

    user_limit: int = 0
    allocation_limit: int = 5
