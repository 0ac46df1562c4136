"""The API of a server's start-up, blueprint, ports, suspension and record."""

from __future__ import annotations

import msgspec

from stellar.bus.bus import current
from stellar.db import call
from stellar.errors import Invalid
from stellar.extend.registry import RouteRegistrar
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.plugins.blueprints import service as blueprints
from stellar.plugins.nodes import service as nodes

from . import activity, answers, changes, crashes, placement, ports, power, prompts, sighted, views
from .calls import Answer, PowerResult
from .detail_schemas import (
    ActivityPage,
    ActivityQuery,
    AddAllocation,
    AllocationList,
    ChangeBlueprint,
    CrashList,
    PatchAllocation,
    PatchStartup,
    StartupView,
)
from .naming import named
from .schemas import AnswerPrompt, ServerDetail
from .service import get_server

ANSWER_SECONDS = 15.0


def add_routes(routes: RouteRegistrar) -> None:
    """Register them."""
    routes.add("/servers/{server_id}/startup", Startup())
    routes.add("/servers/{server_id}/blueprint", ChangedBlueprint())
    routes.add("/servers/{server_id}/allocations", Allocations())
    routes.add("/servers/{server_id}/allocations/{allocation_id}", OneAllocation())
    routes.add("/servers/{server_id}/suspend", Suspend())
    routes.add("/servers/{server_id}/unsuspend", Unsuspend())
    routes.add("/servers/{server_id}/activity", Activity())
    routes.add("/servers/{server_id}/crashes", Crashes())
    routes.add("/servers/{server_id}/prompts/{prompt}", OnePrompt())


class Startup:
    """``/servers/{server_id}/startup``"""

    @endpoint(permission="startup.read", returns=StartupView)
    async def on_get(self, req: Request, server_id: str) -> StartupView:
        """Show how a server is started, with the variables that the caller may see."""
        return await call(views.startup, req.actor, server_id, "startup.read")

    @endpoint(permission="startup.update", body=PatchStartup, returns=StartupView)
    async def on_patch(self, req: Request, server_id: str, body: PatchStartup) -> StartupView:
        """Set start-up variables, and choose command, image and runtime; they count from the next start on."""
        command = None if body.command is msgspec.UNSET else body.command
        image = None if body.image is msgspec.UNSET else body.image
        runtime = None if body.runtime is msgspec.UNSET else body.runtime
        server = await call(get_server, req.actor, server_id, "startup.update")
        if command is None and image is None and runtime is None and not body.variables:
            raise Invalid("Say what to change.", fields={"variables": "is empty"})
        if runtime is not None and runtime != server.runtime:
            await call(get_server, req.actor, server_id, "startup.image")
            blueprint = await call(blueprints.get_blueprint, server.blueprint_id)
            node = await call(nodes.get_node, server.node_id)
            await placement.check(node, blueprints.document_of(blueprint), runtime)
        chosen = {"command": command, "runtime": runtime, "image": image}
        await call(changes.change_startup, req.actor, server_id, body.variables, **chosen)
        return await call(views.startup, req.actor, server_id, "startup.update")


class ChangedBlueprint:
    """``/servers/{server_id}/blueprint``"""

    @endpoint(permission="startup.image", body=ChangeBlueprint, returns=ServerDetail, status=202)
    async def on_post(self, req: Request, server_id: str, body: ChangeBlueprint) -> ServerDetail:
        """Make it a server of another blueprint: its files stay, and the new game is installed beside them."""
        server = await call(get_server, req.actor, server_id, "startup.image")
        blueprint = await named("blueprint", blueprints.get_blueprint, body.blueprint)
        node = await call(nodes.get_node, server.node_id)
        _, runtime = await placement.choose([node], blueprints.document_of(blueprint), {})
        await call(changes.change_blueprint, req.actor, server_id, blueprint, runtime, body.variables)
        return await sighted.detail(req.actor, server_id)


class Allocations:
    """``/servers/{server_id}/allocations``"""

    @endpoint(permission="allocations.read", returns=AllocationList)
    async def on_get(self, req: Request, server_id: str) -> AllocationList:
        """List a server's ports."""
        return await call(ports.list_ports, req.actor, server_id)

    @endpoint(permission="allocations.create", body=AddAllocation, returns=AllocationList, status=201)
    async def on_post(self, req: Request, server_id: str, body: AddAllocation) -> AllocationList:
        """Give a server one more port."""
        return await call(ports.add_port, req.actor, server_id, body)


class OneAllocation:
    """``/servers/{server_id}/allocations/{allocation_id}``"""

    @endpoint(permission="allocations.update", body=PatchAllocation, returns=AllocationList)
    async def on_patch(self, req: Request, server_id: str, allocation_id: str, body: PatchAllocation) -> AllocationList:
        """Make a port the main one, or change its note."""
        return await call(ports.change_port, req.actor, server_id, allocation_id, body)

    @endpoint(permission="allocations.delete")
    async def on_delete(self, req: Request, server_id: str, allocation_id: str) -> None:
        """Take a port from a server."""
        await call(ports.remove_port, req.actor, server_id, allocation_id)


class Suspend:
    """``/servers/{server_id}/suspend``"""

    @endpoint(permission="servers.suspend", returns=ServerDetail, status=202)
    async def on_post(self, req: Request, server_id: str) -> ServerDetail:
        """Stop a server and let nobody do anything with it."""
        await call(changes.set_suspended, req.actor, server_id, True)
        return await sighted.detail(req.actor, server_id)


class Unsuspend:
    """``/servers/{server_id}/unsuspend``"""

    @endpoint(permission="servers.suspend", returns=ServerDetail, status=202)
    async def on_post(self, req: Request, server_id: str) -> ServerDetail:
        """Let a suspended server be used again; it stays off until somebody starts it."""
        await call(changes.set_suspended, req.actor, server_id, False)
        return await sighted.detail(req.actor, server_id)


class Activity:
    """``/servers/{server_id}/activity``"""

    @endpoint(permission="activity.read", query=ActivityQuery, returns=ActivityPage)
    async def on_get(self, req: Request, server_id: str, query: ActivityQuery) -> ActivityPage:
        """List what was done with a server."""
        return await call(activity.activity, req.actor, server_id, query)


class Crashes:
    """``/servers/{server_id}/crashes``"""

    @endpoint(permission=crashes.READ, returns=CrashList)
    async def on_get(self, req: Request, server_id: str) -> CrashList:
        """List how a server has crashed lately."""
        return await call(crashes.crashes, req.actor, server_id)


class OnePrompt:
    """``/servers/{server_id}/prompts/{prompt}``"""

    @endpoint(permission=prompts.ANSWER, returns=ServerDetail, status=202)
    async def on_post(self, req: Request, server_id: str, prompt: str) -> ServerDetail:
        """Accept what the game asks: its node does what that means, such as to accept the licence and start again."""
        server, known = await call(prompts.before_accept, req.actor, server_id, prompt)
        asked = Answer(server.id, prompt)
        result = await current().call(
            server.node_id, "servers.answer", asked, returns=PowerResult, timeout=ANSWER_SECONDS
        )
        await call(prompts.after_accept, req.actor, server, known)
        shown = await sighted.detail(req.actor, server_id)
        return msgspec.structs.replace(shown, state=result.state)

    @endpoint(permission=prompts.ANSWER, body=AnswerPrompt, returns=ServerDetail, status=202)
    async def on_put(self, req: Request, server_id: str, prompt: str, body: AnswerPrompt) -> ServerDetail:
        """Answer what the game asks: that becomes a setting of the server, and the game starts again."""
        server = await call(answers.before_restart, req.actor, server_id, prompt, body.answer)
        state = await power.begin(server, "restart")
        await call(answers.after_restart, req.actor, server, prompt)
        shown = await sighted.detail(req.actor, server_id)
        return msgspec.structs.replace(shown, state=state)

    @endpoint(permission=prompts.ANSWER)
    async def on_delete(self, req: Request, server_id: str, prompt: str) -> None:
        """Put a question aside without answering it."""
        await call(prompts.dismiss, req.actor, server_id, prompt)
