from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from stellar.bus import Bus


@pytest.fixture
async def bus(redis_url: str) -> AsyncIterator[Bus]:
    bus = Bus(redis_url)
    await bus.start()
    yield bus
    await bus.close()
