"""The channels to which plugins have subscribed by ``register_events``, in the web process."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from .. import db
from ..errors import Unavailable
from ..extend.registry import Subscription
from .bus import Bus
from .hub import Message

log = logging.getLogger(__name__)


async def serve(bus: Bus, subscriptions: Sequence[Subscription]) -> None:
    """Hand every message to its handlers, one after the other, until cancelled.

    A handler runs in a database thread; what it raises is logged and reaches nobody else.
    """
    channels = sorted({subscription.channel for subscription in subscriptions})
    while True:
        try:
            async with bus.subscribe(*channels) as stream:
                async for message in stream:
                    if isinstance(message, Message):
                        await _hand_out(message, subscriptions)
        except Unavailable:
            log.warning("Redis does not answer; the subscriptions of plugins wait for it")


async def _hand_out(message: Message, subscriptions: Sequence[Subscription]) -> None:
    for subscription in subscriptions:
        if subscription.channel != message.channel:
            continue
        try:
            await db.call(subscription.handler, message.decode(Any))
        except Exception:
            log.exception("the plugin %s failed at a message of %s", subscription.plugin, message.channel)
