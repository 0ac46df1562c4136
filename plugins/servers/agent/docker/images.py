"""The image of a container: its name, and having it here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiodocker.jsonstream import json_stream_stream

from stellar.errors import Invalid, Unavailable
from stellar.plugins.blueprints.images import valid_image

from .client import BROKEN, Client, reason, unless_missing
from .registries import docker_config, header_for

Say = Callable[[str], None]
SAY_SECONDS = 2.0
NEWEST_SECONDS = 60.0
"""How long an image that is here already may take to be brought up to date."""
EGG_HOME = "/home/container"


class Image(msgspec.Struct, frozen=True):
    """What a container made of it would run by itself, and the variables that it brings."""

    id: str
    entrypoint: list[str]
    command: list[str]
    directory: str

    @property
    def starts_eggs(self) -> bool:
        """Whether it is made for eggs: its own ``entrypoint.sh`` runs what is in the variable ``STARTUP``."""
        own = [*self.entrypoint, *self.command]
        return self.directory == EGG_HOME and any(Path(part).name == "entrypoint.sh" for part in own)


async def ensure(client: Client, name: str, secrets: Path, say: Say, *, newest: bool) -> Image:
    """An image, pulled if need be; with ``newest`` the registry is asked even when one is here.

    ``say`` gets what happens, in sentences. ``Invalid`` for a name that is none, ``Unavailable`` when there is none.
    """
    if not valid_image(name):
        raise Invalid(f"{name[:100]!r} is not the name of an image; choose another one.", code="bad_image")
    here = await find(client, name)
    if here is None:
        say(f"Pulling the image {name}.")
        try:
            await _pull(client, name, secrets, say)
        except BROKEN as error:
            raise _unavailable(name, error) from error
    elif newest and "@" not in name:
        try:
            async with asyncio.timeout(NEWEST_SECONDS):
                await _pull(client, name, secrets, say)
        except BROKEN as error:
            say(f"The image {name} could not be brought up to date ({reason(error)}); the one that is here is used.")
            return here
    else:
        return here
    found = await find(client, name)
    if found is None:
        raise Unavailable(f"The image {name} was pulled and is gone again; try once more.", code="no_image")
    if here is None or here.id != found.id:
        say(f"Pulled the image {name}.")
    return found


async def find(client: Client, name: str) -> Image | None:
    """An image that is here already."""
    try:
        found = await unless_missing(client.json(f"images/{name}/json"))
    except BROKEN as error:
        raise Unavailable(f"Docker doesn't answer at {client.host}: {reason(error)}.", code="no_docker") from error
    if found is None:
        return None
    config = found.get("Config") or {}
    return Image(
        id=found["Id"],
        entrypoint=config.get("Entrypoint") or [],
        command=config.get("Cmd") or [],
        directory=config.get("WorkingDir") or "",
    )


async def _pull(client: Client, name: str, secrets: Path, say: Say) -> None:
    header = await asyncio.to_thread(header_for, name, secrets, docker_config())
    headers = {"X-Registry-Auth": header} if header else {}
    tag = {} if _has_tag(name) else {"tag": "latest"}
    progress = Progress(name, say)
    response = await client.docker._do_query(
        "images/create", "POST", params={"fromImage": name, **tag}, headers=headers, timeout=aiohttp.ClientTimeout()
    )
    try:
        async for event in json_stream_stream(response):
            progress.heard(event)
    finally:
        response.close()


class Progress:
    """Says now and then how far a pull is; nothing where nothing had to be fetched."""

    def __init__(self, name: str, say: Say) -> None:
        self._name, self._say = name, say
        self._layers: dict[str, tuple[int, int]] = {}
        self._said_at = 0.0

    def heard(self, event: dict[str, Any]) -> None:
        """One line of Docker's progress."""
        detail = event.get("progressDetail") or {}
        layer, total = str(event.get("id", "")), int(detail.get("total") or 0)
        if event.get("status") == "Downloading" and total:
            self._layers[layer] = (int(detail.get("current") or 0), total)
        elif event.get("status") in ("Download complete", "Pull complete") and layer in self._layers:
            self._layers[layer] = (self._layers[layer][1], self._layers[layer][1])
        if self._layers and time.monotonic() >= self._said_at + SAY_SECONDS:
            self._said_at = time.monotonic()
            fetched, whole = (sum(numbers) for numbers in zip(*self._layers.values(), strict=True))
            percent = 100 * fetched // whole
            self._say(f"Pulling the image {self._name}: {percent} % of {whole / 1e6:.0f} MB")


def _has_tag(name: str) -> bool:
    return "@" in name or ":" in name.rpartition("/")[2]


def _unavailable(name: str, error: Exception) -> Unavailable:
    why = reason(error)
    remedy = "check the name, and that this node reaches the registry"
    if any(word in why.lower() for word in ("denied", "auth", "forbidden")):
        remedy = "check the name, or run `stellar registry login` on this node if it is private"
    return Unavailable(f"The image {name} can't be pulled ({why}); {remedy}.", code="no_image")
