"""Joining a panel: the join token is exchanged for this node's key."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import msgspec

from stellar.errors import SetupError

from .identity import Identity


class _Answer(msgspec.Struct):
    node_id: str
    name: str
    key: str


class _Problem(msgspec.Struct):
    detail: str = ""


def enrol(panel: str, token: str) -> Identity:
    """Exchange a join token; ``SetupError`` with the panel's reason when it refuses."""
    address = panel.rstrip("/")
    if urlsplit(address).scheme not in ("http", "https"):
        raise SetupError(f"The panel's address {panel} has to begin with http:// or https://.")
    request = urllib.request.Request(  # noqa: S310
        f"{address}/api/v1/nodes/enrol",
        data=msgspec.json.encode({"token": token}),
        headers={"Content-Type": "application/json", "Accept": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
            answer = msgspec.json.decode(response.read(65536), type=_Answer)
    except urllib.error.HTTPError as error:
        raise SetupError(f"{address} refuses the join token: {_detail(error)}") from None
    except (OSError, http.client.HTTPException, msgspec.MsgspecError) as error:
        raise SetupError(f"{address} can't be reached as a Stellar panel: {error}.") from None
    return Identity(address, answer.node_id, answer.key)


def _detail(error: urllib.error.HTTPError) -> str:
    try:
        return msgspec.json.decode(error.read(65536), type=_Problem).detail or f"HTTP {error.code}"
    except msgspec.MsgspecError:
        return f"HTTP {error.code}"
