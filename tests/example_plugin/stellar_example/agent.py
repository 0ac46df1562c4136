"""What runs on nodes: async, without database, Redis or templates."""

import msgspec

from stellar.extend.agent import AgentCheck


class Greet(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to greet."""

    name: str


def register(agent):
    """Add the call ``example.greet`` and everything else that an agent module may have."""
    agent.handler("example.greet", greet)
    agent.start(start)
    agent.stop(stop)
    agent.task(idle)
    agent.on_specs(on_specs)
    agent.check(find_checks)


async def greet(context, params: Greet):
    """Greet, and report it."""
    context.report("example.greeted", None, {"name": params.name})
    return {"text": f"Hello, {params.name}!"}


async def start(context):
    """Before the agent answers calls."""
    context.set_capability("example", True)


async def stop(context):
    """When the agent stops."""


async def idle(context):
    """A task that has nothing to do."""


async def on_specs(context, specs):
    """What the panel wants on this node."""


async def find_checks(config, data):
    """For ``stellar agent --check``."""
    return [AgentCheck("example", "greetings", True)]
