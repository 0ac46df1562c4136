"""The running agent as its modules see it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, TypeVar

from stellar.config import Config

from ..protocol import Event
from .outbox import Outbox

T = TypeVar("T")

EVENTS_KEPT = 512
"""Events waiting for a slow link; what comes on top is dropped, as events may be."""


class Agent:
    """Implements ``stellar.extend.agent.AgentContext``."""

    def __init__(self, data: Path, config: Config, outbox: Outbox) -> None:
        self.data = data
        self.config = config
        self.connected = False
        self.capabilities: dict[str, Any] = {}
        self.outbox = outbox
        self.events: asyncio.Queue[Event] = asyncio.Queue(EVENTS_KEPT)
        self.reported = asyncio.Event()
        self.able = asyncio.Event()
        """A capability has changed since the panel was last told."""
        self._services: dict[type[Any], object] = {}

    def emit(self, topic: str, server_id: str, data: dict[str, Any]) -> None:
        """See ``AgentContext``."""
        if self.connected and not self.events.full():
            self.events.put_nowait(Event(topic, server_id, data))

    def report(self, kind: str, server_id: str | None, data: dict[str, Any]) -> None:
        """See ``AgentContext``."""
        self.outbox.add(kind, server_id, data)
        self.reported.set()

    def provide(self, service: object) -> None:
        """See ``AgentContext``."""
        self._services[type(service)] = service

    def get(self, service: type[T]) -> T:
        """See ``AgentContext``."""
        found = self._services.get(service)
        if not isinstance(found, service):
            raise LookupError(f"no agent module has provided a {service.__name__}")
        return found

    def set_capability(self, name: str, value: Any) -> None:
        """See ``AgentContext``."""
        if name not in self.capabilities or self.capabilities[name] != value:
            self.capabilities[name] = value
            self.able.set()
