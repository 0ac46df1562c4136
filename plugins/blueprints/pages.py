"""The administrators' pages of blueprints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stellar.auth.permissions import Actor
from stellar.db import call
from stellar.extend.registry import PageRegistrar
from stellar.http.answers import Answer, Html
from stellar.http.endpoint import endpoint
from stellar.http.request import Request
from stellar.web.menu import MenuItem
from stellar.web.site import page

from . import library, service


def add_pages(pages: PageRegistrar) -> None:
    """Register them."""
    pages.add("/blueprints", BlueprintsPage())
    pages.add("/blueprints/{blueprint_id}", BlueprintPage())


def menu(actor: Actor, location: str) -> Sequence[MenuItem]:
    """The entries of this plugin."""
    if location == "main" and actor.allowed("blueprints.manage"):
        return [MenuItem("Blueprints", "/blueprints", "cube", 40)]
    return []


class BlueprintsPage:
    """``/blueprints``"""

    @endpoint(permission="blueprints.manage", returns=Html)
    async def on_get(self, req: Request) -> Answer:
        """The games that servers can be made of."""
        return await page(req, "blueprints/list.html", blueprints=await call(service.views, req.actor))


class BlueprintPage:
    """``/blueprints/{blueprint_id}``"""

    @endpoint(permission="blueprints.manage", returns=Html)
    async def on_get(self, req: Request, blueprint_id: str) -> Answer:
        """One blueprint: its commands, images, variables and config files, and what its egg says otherwise."""
        return await page(req, "blueprints/show.html", **await call(_shown, req.actor, blueprint_id))


def _shown(actor: Actor, ref: str) -> dict[str, Any]:
    found = service.detail(actor, ref)
    docker = found.runtimes.docker
    return {
        "blueprint": found,
        "images": docker.images if docker else [],
        "uses": library.uses(found.id),
        "commands": [("Default", found.startup.command)]
        + [(choice.name, choice.command) for choice in found.startup.choices],
    }
