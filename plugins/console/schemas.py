"""What the console's endpoints take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec

from stellar.plugins.servers.calls import MAX_READ

from .frames import Offset
from .viewer import HISTORY


class ConsoleToken(msgspec.Struct):
    """``url`` is the WebSocket's address with the token in it; ``token`` renews an open one."""

    token: str
    url: str
    expires_at: datetime

    __example__: ClassVar[dict[str, Any]] = {
        "url": "wss://panel.example.com/api/v1/servers/3f0c7f5e-6a0b-4d0e-9a6e-0b8f2c1d7e54/console/socket?token=Zk3vT8qLw2Xn5Rb7"
    }


class ReadQuery(msgspec.Struct, forbid_unknown_fields=True):
    """From offset ``after`` on, else the last ``limit`` bytes; ``plain`` leaves out control codes."""

    after: Offset | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_READ)] = HISTORY
    plain: bool = False


class ConsoleText(msgspec.Struct):
    """Output from offset ``seq`` on; ``next`` is where to go on. The log holds ``start`` to ``end``.

    ``seq`` is larger than what was asked for where older output is no longer kept. Unless it is plain, ``data`` has
    ``next`` - ``seq`` bytes in UTF-8.
    """

    seq: int
    data: str
    next: int
    start: int
    end: int

    __example__: ClassVar[dict[str, Any]] = {"data": "Server started.\r\n", "next": 17, "end": 17}


class SendCommand(msgspec.Struct, forbid_unknown_fields=True):
    """One line for the game's console, without a line break."""

    command: str

    __example__: ClassVar[dict[str, Any]] = {"command": "say hello"}


class Sent(msgspec.Struct):
    """The node has typed it."""


class SocketQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Without a token here, the first frame has to be ``auth``."""

    token: str = ""
