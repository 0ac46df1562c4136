"""The panel's end of a node's link: relays between the node's socket and its channels."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid

import msgspec

from stellar.bus import Message, cache, connections, messages, names, sync
from stellar.bus.bus import Bus, current
from stellar.bus.events import NodeHeartbeat
from stellar.bus.hub import Stream
from stellar.db import call
from stellar.errors import Invalid, NodeUnreachable, Unavailable
from stellar.http.websocket import Socket

from . import presence, protocol, reports, service, wanted
from .models import Node
from .protocol import Ack, Call, Capabilities, Event, Heartbeat, Hello, Refused, Reply, Report, Specs, Welcome

log = logging.getLogger(__name__)

HELLO_SECONDS = 10.0
SILENCE_SECONDS = protocol.HEARTBEAT_SECONDS * 4
"""A node that hasn't sent anything for so long is gone."""

CLOSE_PROTOCOL = 4400
CLOSE_KEY = 4401
CLOSE_REPLACED = 4409


class LinkControl(msgspec.Struct, tag_field="type", tag="link"):
    """On a node's commands channel: another link has taken over (``opened``), the key is gone (``closed``) or new."""

    session: str
    action: str


Command = messages.CallMessage | LinkControl
_decode_command = msgspec.json.Decoder(Command).decode


async def cut(node_id: str) -> None:
    """End a node's link, in whichever process it is: its key doesn't count any more."""
    await current().publish(names.node_commands(node_id), LinkControl("", "closed"))


def cut_now(node_id: str) -> None:
    """The same, and its figures, for code without an event loop; without Redis it has none of both."""
    with contextlib.suppress(Unavailable, *connections.Gone):
        sync.publish(names.node_commands(node_id), LinkControl("", "closed"))
        sync.client().delete(names.cache_node_metrics(node_id))


async def renew(node_id: str) -> None:
    """End a node's link, which it opens again at once: its old key doesn't count any more."""
    await current().publish(names.node_commands(node_id), LinkControl("", "renewed"))


class LinkSession:
    """One node's open link."""

    def __init__(self, socket: Socket, node: Node) -> None:
        self._socket = socket
        self._node_id: str = node.id
        self._name: str = node.name
        self._bus: Bus = current()
        self._session = uuid.uuid4().hex
        self._servers: set[str] = set()
        self._reports: asyncio.Queue[Report] = asyncio.Queue(64)
        self._commands: Stream | None = None
        self._unanswered: set[str] = set()

    async def run(self) -> None:
        """Serve the link until either side ends it."""
        try:
            await self._greeted()
        except (msgspec.MsgspecError, Invalid):
            log.warning("node %s sent a frame that is not of the protocol; its link is closed", self._name)
            await self._close(CLOSE_PROTOCOL, "not a frame of the protocol")

    async def _greeted(self) -> None:
        hello = await self._hello()
        if hello is None:
            return
        await call(
            service.record_hello, self._node_id, hello.hostname, hello.platform, hello.version, hello.capabilities
        )
        channel = names.node_commands(self._node_id)
        try:
            async with self._bus.subscribe(channel) as commands:
                await self._bus.publish(channel, LinkControl(self._session, "opened"))
                await self._welcome()
                await presence.keep(self._node_id, {})
                self._commands = commands
                log.info("node %s is linked", self._name)
                await self._socket.run(self._receive(), self._forward(commands), self._apply_reports())
        finally:
            if self._commands is not None:
                log.info("the link of node %s has ended", self._name)
                await asyncio.shield(self._left(self._commands))

    async def _hello(self) -> Hello | None:
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                frame = protocol.decode_from_agent(await self._socket.receive_bytes())
        except TimeoutError:
            await self._close(CLOSE_PROTOCOL, "no hello")
            return None
        if not isinstance(frame, Hello):
            await self._refuse("hello", "The first frame has to be a hello.")
            return None
        if frame.protocol != protocol.PROTOCOL_VERSION:
            await self._refuse(
                "protocol",
                f"The agent speaks version {frame.protocol} of the protocol, the panel {protocol.PROTOCOL_VERSION}; "
                "install the same Stellar release on both.",
            )
            return None
        return frame

    async def _refuse(self, code: str, message: str) -> None:
        log.warning("node %s is refused: %s", self._name, message)
        await self._send(Refused(code, message))
        await self._close(CLOSE_PROTOCOL, code)

    async def _welcome(self) -> None:
        specs = await call(wanted.specs, self._node_id)
        self._servers = {str(spec["id"]) for spec in specs}
        first, *rest = protocol.portions(specs)
        await self._send(Welcome(protocol.PROTOCOL_VERSION, self._node_id, self._name, first, bool(rest)))
        for number, portion in enumerate(rest, 1):
            await self._send(Specs(portion, number < len(rest)))

    async def _send(self, frame: protocol.FromPanel) -> None:
        await self._socket.send_bytes(protocol.encode(frame))

    async def _receive(self) -> None:
        while True:
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    frame = protocol.decode_from_agent(await self._socket.receive_bytes())
            except TimeoutError:
                log.warning("node %s has been silent for %d s", self._name, SILENCE_SECONDS)
                return
            await self._take(frame)

    async def _take(self, frame: protocol.FromAgent) -> None:
        if isinstance(frame, Event):
            await self._publish_event(frame)
        elif isinstance(frame, Reply):
            await self._publish_reply(frame)
        elif isinstance(frame, Heartbeat):
            await presence.keep(self._node_id, frame.metrics)
            await self._bus.publish(names.node_heartbeat(self._node_id), NodeHeartbeat(time.time(), frame.metrics))
        elif isinstance(frame, Capabilities):
            await call(service.record_capabilities, self._node_id, frame.capabilities)
        elif isinstance(frame, Report):
            await self._reports.put(frame)
        else:
            raise Invalid("A hello may come only once.")

    async def _publish_event(self, event: Event) -> None:
        if event.topic not in protocol.TOPICS or not await self._may_speak_for(event.server_id):
            log.warning("node %s spoke of %.40r for a server that is not on it", self._name, event.topic)
            return
        if event.topic in ("status", "metrics"):
            key = names.cache_server_status(event.server_id)
            await cache.put(self._bus.redis, key, event.data, names.SERVER_STATUS_TTL)
        await self._bus.publish(_CHANNELS[event.topic](event.server_id), event.data)

    async def _publish_reply(self, reply: Reply) -> None:
        self._unanswered.discard(reply.id)
        error = None
        if reply.error is not None:
            error = messages.CallError(reply.error.kind, reply.error.message, reply.error.code, reply.error.fields)
        await self._bus.publish(names.node_events(self._node_id), messages.ReplyMessage(reply.id, reply.result, error))

    async def _may_speak_for(self, server_id: str) -> bool:
        if server_id in self._servers:
            return True
        found = await call(wanted.server_ids, self._node_id)
        self._servers = found
        return server_id in found

    async def _apply_reports(self) -> None:
        """One by one, in order; a report is acknowledged only after its commit."""
        while True:
            report = await self._reports.get()
            if report.server_id is None or await self._may_speak_for(report.server_id):
                try:
                    await call(reports.apply_report, self._node_id, report)
                except Unavailable:
                    log.warning("a report of node %s waits: the database does not answer", self._name)
                    return
            else:
                log.warning("node %s reported %.40r for a server that is not on it", self._name, report.kind)
            await self._send(Ack(report.id))

    async def _forward(self, commands: Stream) -> None:
        async for message in commands:
            if not isinstance(message, Message):
                continue
            command = _decode_command(message.data)
            if isinstance(command, messages.CallMessage):
                self._unanswered.add(command.id)
                frame = Call(command.id, command.method, command.params, command.timeout)
                await self._send(frame)
            elif command.action == "closed":
                await self._send(Refused("key", "This node's key was revoked."))
                await self._close(CLOSE_KEY, "key")
                return
            elif command.session != self._session:
                await self._give_way(command)
                return

    async def _give_way(self, command: LinkControl) -> None:
        """Close without a word of the node having left: it has another link, or is about to."""
        if command.action == "renewed":
            await self._close(protocol.CLOSE_RENEWED, "the node has a new key")
        else:
            await self._close(CLOSE_REPLACED, "another link of this node was opened")
        self._session = ""

    async def _left(self, commands: Stream) -> None:
        await self._fail_unanswered(commands)
        if not self._session:
            return
        await presence.forget(self._node_id)
        await call(service.record_seen, self._node_id)

    async def _fail_unanswered(self, commands: Stream) -> None:
        """Nobody has to wait for answers that can't come any more, not to calls either that were still queued here."""
        async for message in commands:
            if isinstance(message, Message):
                command = _decode_command(message.data)
                if isinstance(command, messages.CallMessage):
                    self._unanswered.add(command.id)
        error = messages.to_wire(NodeUnreachable("The node's link ended before it answered; try again in a moment."))
        for call_id in self._unanswered:
            await self._bus.publish(names.node_events(self._node_id), messages.ReplyMessage(call_id, error=error))

    async def _close(self, code: int, reason: str) -> None:
        if self._socket.open:
            await self._socket.close(code, reason)


_CHANNELS = {
    "status": names.server_status,
    "metrics": names.server_metrics,
    "logs": names.server_logs,
}
