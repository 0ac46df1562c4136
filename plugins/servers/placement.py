"""Which node can run which blueprint, found out by asking the nodes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from stellar.bus.bus import current
from stellar.errors import Conflict, NodeUnreachable, Unavailable
from stellar.plugins.blueprints.structs import Blueprint as Document
from stellar.plugins.nodes import presence
from stellar.plugins.nodes.allocations import refuse_draining
from stellar.plugins.nodes.models import Node
from stellar.plugins.nodes.schemas import NodeRef

from .calls import Probe, ProbeResult
from .schemas import BlueprintFit, Missing, NodeFit

PROBE_SECONDS = 5.0
LINK_SECONDS = 5.0
"""How long after the panel's start nodes may take to link."""
MIB = 1024 * 1024

_started = 0.0


def begin() -> None:
    """The panel has just started."""
    global _started
    _started = time.monotonic()


async def fits(nodes: list[Node], documents: Iterable[Document], promised: dict[str, int]) -> list[NodeFit]:
    """What each node can run; ``promised`` is the memory (MiB) that its servers have already been given."""
    wanted = list(documents)
    figures = await _figures_of_some(nodes)
    probes = await asyncio.gather(*(_probe(node.id, wanted) for node in nodes))
    found = []
    for node, probe in zip(nodes, probes, strict=True):
        total = figures.get(node.id, {}).get("memory_total")
        free = int(total) // MIB - promised.get(node.id, 0) if isinstance(total, int) else None
        blueprints = {document.name: _fit_on(node, document, probe) for document in wanted}
        found.append(NodeFit(NodeRef(node.id, node.name), probe is not None, free, blueprints))
    return found


async def check(node: Node, document: Document, runtime: str) -> None:
    """``Conflict`` when a node can't run a blueprint in this runtime, ``NodeUnreachable`` when it is offline."""
    probe = await _probe(node.id, [document])
    if probe is None:
        raise NodeUnreachable(f"{node.name} is offline: check that `stellar agent` runs there and reaches the panel.")
    possible, found = fit(document, probe, runtime)
    if possible is None:
        raise Conflict(f"{node.name} can't run {document.title} so: {found.problem}", code="requirement_missing")


async def choose(
    nodes: list[Node], document: Document, promised: dict[str, int], runtime: str | None = None
) -> tuple[Node, str]:
    """The node with the most free memory among those that can run a blueprint, and the runtime there.

    ``runtime`` is the one that it has to be, if any.

    ``Conflict`` says what each node lacks when none can, or that they are being drained; ``NodeUnreachable`` that
    they are all offline.
    """
    if not nodes:
        raise Conflict("There is no node yet; an administrator can add one.", code="no_node")
    if len(nodes) == 1:
        refuse_draining(nodes[0])
    drained = [node.name for node in nodes if node.draining]
    nodes = [node for node in nodes if not node.draining]
    if not nodes:
        raise Conflict("Every node is being drained and takes no new servers: add one.", code="node_draining")
    figures = await _figures_of_some(nodes)
    probes = await asyncio.gather(*(_probe(node.id, [document]) for node in nodes))
    if all(probe is None for probe in probes):
        names = ", ".join(node.name for node in nodes)
        left_out = f" (Being drained: {', '.join(drained)}.)" if drained else ""
        raise NodeUnreachable(
            f"No node is online: check that `stellar agent` runs on {names} and reaches the panel.{left_out}"
        )
    able: list[tuple[int, Node, str]] = []
    problems: list[str] = []
    for node, probe in zip(nodes, probes, strict=True):
        possible, found = fit(document, probe, runtime)
        if possible is None:
            problems.append(f"{node.name}: {found.problem}")
            continue
        total = figures.get(node.id, {}).get("memory_total", 0)
        able.append((int(total) // MIB - promised.get(node.id, 0), node, possible))
    if not able:
        raise Conflict(f"No node can run {document.title}. {' '.join(problems)}", code="requirement_missing")
    _, node, found_runtime = max(able, key=lambda candidate: candidate[0])
    return node, found_runtime


def _fit_on(node: Node, document: Document, probe: ProbeResult | None) -> BlueprintFit:
    if node.draining:
        return BlueprintFit(False, "the node is being drained and takes no new servers.")
    return fit(document, probe)[1]


def fit(document: Document, probe: ProbeResult | None, wanted: str | None = None) -> tuple[str | None, BlueprintFit]:
    """The runtime that a node would use for a blueprint (None: it can't run it), and why.

    Without a ``wanted`` one it is Docker where blueprint and node have that; a plugin's is only used when wanted.
    """
    if probe is None:
        return None, BlueprintFit(False, "the node is offline.")
    has_docker = document.runtimes.docker is not None and _available(probe, "docker")
    if wanted in (None, "docker") and has_docker:
        return "docker", BlueprintFit(True)
    if wanted in (None, "process"):
        return _fit_process(document, probe)
    if wanted == "docker" and document.runtimes.docker is None:
        return None, BlueprintFit(False, "it names no image that it could run in.")
    if wanted != "docker" and _available(probe, wanted):
        return wanted, BlueprintFit(True)
    reason = probe.runtimes.get(wanted, {}).get("reason") or f"the node has no runtime {wanted}."
    return None, BlueprintFit(False, str(reason))


def _available(probe: ProbeResult, runtime: str) -> bool:
    return bool(probe.runtimes.get(runtime, {}).get("available"))


def _fit_process(document: Document, probe: ProbeResult) -> tuple[str | None, BlueprintFit]:
    process = document.runtimes.process
    if process is None:
        reason = probe.runtimes.get("docker", {}).get("reason", "")
        return None, BlueprintFit(False, f"it needs Docker. {reason}".rstrip())
    missing = [
        Missing(requirement.command, requirement.package, f"apt-get install -y {requirement.package}")
        for requirement in process.requires
        if not probe.found.get(requirement.command)
    ]
    if not missing:
        return "process", BlueprintFit(True)
    lacking = ", ".join(entry.command for entry in missing)
    packages = " ".join(dict.fromkeys(entry.package for entry in missing))
    return None, BlueprintFit(False, f"{lacking} is missing; run `apt-get install -y {packages}` there.", missing)


async def _figures_of_some(nodes: list[Node]) -> dict[str, presence.Figures]:
    """The figures of those that are online; right after the panel's start it waits for the first."""
    while True:
        figures = await presence.figures([node.id for node in nodes])
        if figures or not nodes or time.monotonic() > _started + LINK_SECONDS:
            return figures
        await asyncio.sleep(0.1)


async def _probe(node_id: str, documents: list[Document]) -> ProbeResult | None:
    commands = {
        requirement.command
        for document in documents
        if document.runtimes.process
        for requirement in document.runtimes.process.requires
    }
    try:
        return await current().call(
            node_id, "servers.probe", Probe(sorted(commands)), returns=ProbeResult, timeout=PROBE_SECONDS
        )
    except (NodeUnreachable, Unavailable):
        return None
