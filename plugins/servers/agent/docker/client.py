"""The connection to Docker, and every request that this package makes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import aiohttp
from aiodocker import Docker
from aiodocker.exceptions import DockerError
from aiodocker.stream import Stream

from stellar.errors import Unavailable

CALL_SECONDS = 20.0
PING_SECONDS = 3.0
DETACH_KEYS = "ctrl-@,ctrl-_,ctrl-^,ctrl-@,ctrl-_,ctrl-^"
"""Nobody types these; Docker's own, Ctrl-P Ctrl-Q, would swallow keys and end the connection."""
LIBPOD = "v4.0.0/libpod"
BROKEN = (DockerError, aiohttp.ClientError, OSError, TimeoutError, EOFError)
"""What a request raises when Docker refuses it or is away."""


async def hang_up(*streams: Stream | None) -> None:
    """Close connections to containers' terminals, whatever has become of them."""
    for stream in streams:
        if stream is not None:
            with contextlib.suppress(*BROKEN, AssertionError):
                await stream.close()


def is_missing(error: Exception) -> bool:
    """Whether Docker says that there is no such thing."""
    return isinstance(error, DockerError) and error.status == 404


async def unless_missing(asked: Awaitable[dict[str, Any]]) -> dict[str, Any] | None:
    """What Docker answers; None where it says that there is no such thing."""
    try:
        return await asked
    except DockerError as error:
        if is_missing(error):
            return None
        raise


def is_away(error: Exception) -> bool:
    """Whether Docker could not be asked at all."""
    return not isinstance(error, DockerError) or error.status >= 900


def reason(error: Exception) -> str:
    """What Docker says, as one line."""
    if isinstance(error, TimeoutError):
        return "it takes too long to answer"
    text = str(error.message) if isinstance(error, DockerError) else str(error) or type(error).__name__
    return " ".join(text.split())[:500]


class Client:
    """One address's Docker; connects on the first request, and again after Docker was away."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._docker: Docker | None = None
        self._podman: bool | None = None

    @property
    def docker(self) -> Docker:
        """The library's client; ``Unavailable`` for an address that it can't use."""
        if self._docker is None:
            try:
                url, connector = _connection(self.host)
                self._docker = Docker(url, connector=connector)
            except (ValueError, OSError) as error:
                raise Unavailable(f"Docker's address {self.host} can't be used: {error}.") from error
        return self._docker

    async def close(self) -> None:
        """End all connections; containers go on."""
        if self._docker is not None:
            connector = self._docker.connector
            await self._docker.close()
            await connector.close()
            self._docker = None

    async def json(
        self, path: str, method: str = "GET", *, params: dict[str, Any] | None = None, data: Any = None
    ) -> Any:
        """One request; ``DockerError`` or another of ``BROKEN``."""
        async with asyncio.timeout(CALL_SECONDS):
            return await self._answer(path, method, params=params, data=data)

    async def libpod(self, path: str, method: str = "GET", *, data: Any = None) -> Any:
        """One request of Podman's own kind; ``DockerError`` or another of ``BROKEN``."""
        async with asyncio.timeout(CALL_SECONDS):
            return await self._answer(f"{LIBPOD}/{path}", method, data=data, versioned_api=False)

    async def info(self) -> dict[str, Any]:
        """What this Docker is and can; ``Unavailable`` when it doesn't answer."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                found: dict[str, Any] = await self._answer("info", "GET")
        except BROKEN as error:
            raise Unavailable(f"Docker doesn't answer at {self.host}: {reason(error)}.", code="no_docker") from error
        self._podman = "BuildahVersion" in found
        return found

    async def is_podman(self) -> bool:
        """Whether it is Podman that answers; ``Unavailable`` when nothing does."""
        if self._podman is None:
            await self.info()
        return bool(self._podman)

    async def _answer(self, path: str, method: str, *, data: Any = None, **options: Any) -> Any:
        """What is answered, read as JSON if it is such; Podman doesn't always say what it answers."""
        body = None if data is None else json.dumps(data)
        response = await self.docker._do_query(path, method, data=body, **options)
        try:
            text = await response.read()
            return json.loads(text) if text else None
        except ValueError:
            return text.decode(errors="replace")
        finally:
            response.close()

    async def inspect(self, container: str) -> dict[str, Any]:
        """A container as Docker describes it."""
        found: dict[str, Any] = await self.json(f"containers/{container}/json")
        return found

    async def remove(self, container: str) -> None:
        """Delete a container, running or not; nothing to do for one that is gone."""
        try:
            await self.json(f"containers/{container}", "DELETE", params={"force": 1, "v": 1})
        except DockerError as error:
            if error.status not in (404, 409):
                raise

    async def remove_network(self, name: str) -> None:
        """Delete a network that nothing uses; nothing to do for one that is gone."""
        try:
            await self.json(f"networks/{name}", "DELETE")
        except DockerError as error:
            if not is_missing(error):
                raise

    async def attach(self, container: str, *, output: bool = True) -> Stream:
        """A container's terminal: what is typed and, with ``output``, what it prints from now on."""
        stream = self.docker.containers.container(container).attach(
            stdin=True, stdout=output, stderr=output, detach_keys=DETACH_KEYS
        )
        async with asyncio.timeout(CALL_SECONDS):
            await stream._init()
        return stream

    @contextlib.asynccontextmanager
    async def logs(self, container: str, **params: Any) -> AsyncIterator[AsyncIterator[bytes]]:
        """What Docker has kept of a container's output, in pieces as they come; ``follow=1`` goes on until its end."""
        query = {"stdout": 1, "stderr": 1, **params}
        async with asyncio.timeout(CALL_SECONDS):
            response = await self.docker._do_query(
                f"containers/{container}/logs", "GET", params=query, timeout=aiohttp.ClientTimeout()
            )
        try:
            yield response.content.iter_any()
        finally:
            response.close()

    async def execute(self, container: str, command: list[str]) -> None:
        """Run a command inside a container and wait for its end; ``DockerError`` unless it exits with 0."""
        made = await self.json(
            f"containers/{container}/exec", "POST", data={"Cmd": command, "AttachStdout": True, "AttachStderr": True}
        )
        async with asyncio.timeout(CALL_SECONDS):
            response = await self.docker._do_query(
                f"exec/{made['Id']}/start", "POST", data='{"Detach": false, "Tty": false}'
            )
            await response.read()
        done = await self.json(f"exec/{made['Id']}/json")
        if done.get("ExitCode") != 0:
            raise DockerError(500, f"the command ended with {done.get('ExitCode')}")


def _connection(host: str) -> tuple[str, aiohttp.BaseConnector | None]:
    """Without the library's limit of 100 connections: every server that runs takes one."""
    if host.startswith("unix://"):
        return "unix://localhost", aiohttp.UnixConnector(host.removeprefix("unix://"), limit=0)
    if not host.startswith(("tcp://", "http://", "https://")):
        return host, None
    address = host.partition("://")[2]
    if host.startswith("https://") or os.environ.get("DOCKER_TLS_VERIFY", "0") == "1":
        return f"https://{address}", aiohttp.TCPConnector(limit=0, ssl=_tls())
    return f"http://{address}", aiohttp.TCPConnector(limit=0)


def _tls() -> ssl.SSLContext:
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(str(folder / "cert.pem"), str(folder / "key.pem"))
    return context
