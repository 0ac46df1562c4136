"""Telling browsers how jobs go: global events ``job.queued``, ``job.started``, ``job.finished``, ``job.failed``."""

from __future__ import annotations

import logging
from typing import Any

from ..bus import names, sync
from ..bus.events import GlobalEvent
from ..errors import Unavailable

log = logging.getLogger(__name__)

_RULE = "stellar.errors."


def tell(kind: str, job_id: str, name: str, kwargs: dict[str, Any], error: str | None = None) -> None:
    """Say what has become of a job. Of its arguments only ids are told; whoever may see what they name sees it too."""
    ids = {key: value for key, value in kwargs.items() if key.endswith("_id") and isinstance(value, str)}
    data: dict[str, Any] = {**ids, "name": name}
    if error is not None:
        data["error"] = sentence(error) or "It failed; the worker's log says why."
    try:
        sync.publish(names.EVENTS_GLOBAL, GlobalEvent(f"job.{kind}", job_id, data))
    except Unavailable:
        log.warning("nobody was told that the job %s (%s) is %s: Redis does not answer", name, job_id, kind)


def sentence(error: str) -> str | None:
    """What a rule has said, which is for everybody; None for what a bug says, which is for administrators."""
    return error.partition(": ")[2] if error.startswith(_RULE) else None
