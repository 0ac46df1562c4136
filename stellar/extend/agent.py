"""What a plugin registers for the node agent, and what its handlers get to work with.

Agent code runs on nodes: async, without database, Redis or templates.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from ..config import Config

T = TypeVar("T")


class AgentCheck(msgspec.Struct, frozen=True):
    """One line of ``stellar agent --check``: whether something works on this machine, and what to do if not."""

    area: str
    """``runtime``, ``protection``, ``ports``, …"""
    name: str
    ok: bool
    detail: str = ""
    required: bool = False
    """Without it this machine can't be a node."""


class AgentContext(Protocol):
    """One running agent, as its modules see it."""

    data: Path
    """The agent's own directory, absolute; it exists."""

    config: Config
    """This machine's configuration."""

    connected: bool
    """Whether the link to the panel is up."""

    def emit(self, topic: str, server_id: str, data: dict[str, Any]) -> None:
        """Send something that may be lost (``status``, ``metrics``, ``logs``); dropped while the link is down.

        ``data`` may hold ``bytes``.
        """

    def report(self, kind: str, server_id: str | None, data: dict[str, Any]) -> None:
        """Send something that must not be lost: kept on disk and re-sent until the panel has applied it."""

    def provide(self, service: object) -> None:
        """Offer an object to other modules, by its class."""

    def get(self, service: type[T]) -> T:
        """The object of that class that some module has provided; ``LookupError`` without one."""

    def set_capability(self, name: str, value: Any) -> None:
        """Tell the panel what this node can do (JSON): with every hello, and at once when it changes."""


Handler = Callable[..., Awaitable[Any]]
Task = Callable[[AgentContext], Awaitable[None]]
"""Runs as long as the agent; ends by cancellation."""

OnSpecs = Callable[[AgentContext, list[dict[str, Any]]], Awaitable[None]]

FindChecks = Callable[[Config, Path], Awaitable[list[AgentCheck]]]


class AgentRegistrar(Protocol):
    """Handed to ``register_agent``."""

    def handler(self, method: str, fn: Handler) -> None:
        """Answer calls of ``method`` (such as ``files.list``).

        ``fn`` is ``async def fn(context, params)``: ``params`` is annotated with a msgspec struct (unknown
        fields are refused) and the result is anything msgspec can encode, bytes included. A ``DomainError``
        that it raises reaches the caller as the same error.
        """

    def start(self, fn: Task) -> None:
        """Await ``fn(context)`` once before the agent answers calls; make and ``provide`` services here."""

    def stop(self, fn: Task) -> None:
        """Await ``fn(context)`` when the agent stops; never stop a game server here."""

    def task(self, fn: Task) -> None:
        """Run ``fn(context)`` in the background as long as the agent runs."""

    def on_specs(self, fn: OnSpecs) -> None:
        """Called with everything the panel wants on this node, on every connect (reconcile)."""

    def check(self, fn: FindChecks) -> None:
        """Await ``fn(config, data)`` for ``stellar agent --check``, which runs beside an agent or without one.

        ``data`` is the agent's directory, which need not exist; leave nothing behind there.
        """
