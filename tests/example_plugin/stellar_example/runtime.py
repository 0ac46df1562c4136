"""A runtime of the plugin's own: what servers run in on a node."""

from __future__ import annotations

from stellar.plugins.servers.agent.process import ProcessRuntime


class InnerRuntime(ProcessRuntime):
    """Processes, but never in a sandbox, in case that one is around this whole machine already."""

    name = "inner"

    def __init__(self, context):
        super().__init__(context.data / "servers", sandboxed=False)
