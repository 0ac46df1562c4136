"""Answering the panel's calls: each id once, errors as they are."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec

from stellar.errors import DomainError
from stellar.extend.agent import AgentContext, Handler

from ..protocol import Call, Reply, ReplyError

log = logging.getLogger(__name__)

REMEMBERED = 1024
"""Answers kept for calls that are sent again."""


class Dispatcher:
    """Calls by method. A repeated id gets the first one's answer, also while it is still being worked out.

    What has been begun is finished even if the link, and with it the call, ends meanwhile.
    """

    def __init__(self, context: AgentContext, handlers: Mapping[str, Handler]) -> None:
        self._context = context
        self._handlers = {method: (handler, _params_type(handler)) for method, handler in handlers.items()}
        self._answers: OrderedDict[str, asyncio.Task[Reply]] = OrderedDict()

    async def answer(self, call: Call) -> Reply:
        """The reply to a call; never raises but when cancelled."""
        task = self._answers.get(call.id)
        if task is None:
            task = self._answers[call.id] = asyncio.create_task(self._run(call))
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        reply = await asyncio.shield(task)
        if _carries_content(reply.result):
            self._answers.pop(call.id, None)
        return reply

    async def _run(self, call: Call) -> Reply:
        found = self._handlers.get(call.method)
        if found is None:
            return _failed(call, "unavailable", f"This node's agent doesn't know {call.method}; update it.")
        handler, params_type = found
        try:
            params = msgspec.convert(call.params, params_type)
        except msgspec.ValidationError as error:
            return _failed(call, "invalid", f"{call.method}: {error}.")
        try:
            return Reply(call.id, msgspec.to_builtins(await handler(self._context, params), builtin_types=(bytes,)))
        except DomainError as error:
            return Reply(call.id, error=ReplyError(error.kind, error.message, error.code, error.fields))
        except Exception:
            log.exception("the call %s failed", call.method)
            return _failed(call, "error", f"The node failed at {call.method}; its log says why.")


def _params_type(handler: Handler) -> Any:
    """The annotation of a handler's second argument."""
    name = list(inspect.signature(handler).parameters)[1]
    return get_type_hints(handler)[name]


def _carries_content(result: Any) -> bool:
    """Whether a result is a piece of a file or a log: too large to be remembered, and harmless to read again."""
    return isinstance(result, dict) and any(isinstance(value, bytes) for value in result.values())


def _failed(call: Call, kind: str, message: str) -> Reply:
    return Reply(call.id, error=ReplyError(kind, message))
