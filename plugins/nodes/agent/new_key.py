"""Taking a new key from the panel."""

from __future__ import annotations

from stellar.extend.agent import AgentContext

from ..calls import NewKey, Result
from .link import Link


async def new_key(context: AgentContext, params: NewKey) -> Result:
    """Keep the key on disk, and link with it from the next time on."""
    await context.get(Link).use_key(params.key)
    return Result()
