"""Who this machine is to which panel: kept in the agent's directory, readable by its owner alone."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import msgspec

from stellar.errors import SetupError

FILE = "identity.json"


class Identity(msgspec.Struct, frozen=True):
    """The panel's address, the node's id and its key."""

    panel: str
    node_id: str
    key: str


def read_identity(directory: Path) -> Identity | None:
    """The identity kept in ``directory``, if this machine has joined a panel."""
    path = directory / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Identity)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, OSError) as error:
        raise SetupError(f"{path} can't be read ({error}); join the panel again with a new join command.") from None


def write_identity(directory: Path, identity: Identity) -> None:
    """Keep an identity in ``directory``, atomically, with mode 0600."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = directory / f".{FILE}.{secrets.token_hex(4)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(identity))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(directory / FILE)
