"""A server's power: ``offline → starting → running → stopping → offline``, crashes and restarts.

One action at a time; ``kill`` bypasses whatever is under way. Everything that must survive the agent is in the
server's record, so that a new agent goes on where the last one was.
"""

from __future__ import annotations

import asyncio
import logging
import shlex
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from stellar.errors import Conflict, DomainError
from stellar.plugins.blueprints.patterns import DoneMatcher, compile_done
from stellar.plugins.blueprints.render import environment, render_startup

from ..calls import PowerAction
from ..spec import ServerSpec, Stop
from .launcher import Launcher, explain
from .patches import apply_patches
from .runtime import Exit, Launch, Run
from .server import Server

log = logging.getLogger(__name__)

ANSWER_WITHIN = 5.0
"""Seconds that a start may take to fail and still be answered with its error; a slower one goes on behind."""
SEND_WITHIN = 5.0
"""Seconds for the game's terminal to take the stop command."""
CRASH_TAIL = 16 * 1024
SCAN_BYTES = 128 * 1024
SCAN_PAUSE = 0.05
"""A flood before the done-pattern is scanned at ``SCAN_BYTES / SCAN_PAUSE``, so that it costs bounded CPU."""


@dataclass(frozen=True)
class Policy:
    """``delays`` before each restart after a crash; one more crash within ``window`` seconds and it stays offline.

    ``settle``: seconds that a server without done-patterns has to stay up to count as running.
    """

    delays: tuple[float, ...] = (5.0, 10.0)
    window: float = 600.0
    settle: float = 2.0


class Lifecycle:
    """The power of one server."""

    def __init__(self, server: Server, policy: Policy) -> None:
        self._server = server
        self._policy = policy
        self._launcher: Launcher | None = None
        """While a start has not yet come to a run."""
        self._launch: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None
        """The one thing that is waited for: the done-pattern, the end of the grace period, or the next restart."""
        self._printed = asyncio.Event()
        server.on_output.append(lambda _end: self._printed.set())

    async def power(self, action: PowerAction) -> None:
        """Begin ``action``; ``Conflict`` when the state doesn't allow it."""
        match action:
            case "start":
                await self._start()
            case "stop":
                await self._stop()
            case "restart":
                await self._restart()
            case "kill":
                await self.kill()

    async def kill(self) -> None:
        """End the game now, whatever else is under way; nothing to do when there is none."""
        self._cancel_timer()
        record = self._server.record
        record.restart_at, record.start_again = None, False
        run = self._server.run
        if self._launcher is not None:
            self._launcher.call_off()
        if self._launcher is not None or run is not None:
            self._stopping(grace=0)
            if run is not None:
                await run.kill()
        elif self._server.state in {"starting", "running", "stopping"}:
            self._server.change("offline")
        else:
            self._server.save()

    async def resume(self) -> None:
        """Go on where the last agent was."""
        before = self._server.state
        found = await Launcher(self._server, self._ended).attach()
        run = self._server.run
        if run is not None:
            await self._resume_with(run)
        elif before == "offline":
            self._resume_restart()
        elif found is None and before in {"starting", "running", "stopping"}:
            self._resume_without_run()

    async def suspend(self) -> None:
        """The panel has suspended it: stop, and don't come back."""
        if self.cancel_restart():
            return
        if self._launcher is not None:
            await self.kill()
        elif self._server.state in {"starting", "running"}:
            await self._begin_stop(start_again=False)

    def cancel_restart(self) -> bool:
        """Stay offline after a crash; False when no restart was due."""
        record = self._server.record
        if self._server.state != "offline" or record.restart_at is None:
            return False
        self._cancel_timer()
        record.restart_at = None
        self._server.save()
        return True

    @property
    def launching(self) -> bool:
        """Whether a start has not yet come to a run."""
        return self._launcher is not None

    def close(self) -> None:
        """Let go of it; the game goes on."""
        self._cancel_timer()
        if self._launch is not None:
            self._launch.cancel()

    # Starting

    async def _start(self) -> None:
        self._check_can_start()
        self._server.record.crashes = []
        task = self._begin_start()
        await asyncio.wait({task}, timeout=ANSWER_WITHIN)
        if task.done() and not task.cancelled() and (error := task.exception()):
            raise error

    def _check_can_start(self) -> None:
        state = self._server.state
        if self._server.spec.suspended:
            raise Conflict("The server is suspended; an administrator has to lift that first.", code="suspended")
        if state == "installing":
            raise Conflict("The server is being installed; wait until that has finished.")
        if state == "install_failed":
            raise Conflict("The server's install has failed; install it again first.")
        if state != "offline":
            raise Conflict(f"The server is already {state}.")

    def _begin_start(self) -> asyncio.Task[None]:
        self._cancel_timer()
        self._server.record.restart_at = None
        self._server.change("starting")
        self._launcher = Launcher(self._server, self._ended)
        self._launch = asyncio.create_task(self._bring_up(self._launcher))
        self._launch.add_done_callback(_retrieve)
        return self._launch

    async def _bring_up(self, launcher: Launcher) -> None:
        try:
            run = await launcher.launch(self._game)
        except Exception as error:
            why = explain(error)
            self._failed(why.message)
            raise why from error
        finally:
            self._launcher = None
        if run is None:
            self._server.change("offline")
        elif self._server.run is run and self._server.state == "starting":
            self._started(run)

    def _started(self, run: Run) -> None:
        self._server.record.started_at = run.started_at
        self._server.save()
        self._wait(self._until_running(run))

    async def _game(self) -> Launch:
        spec = self._server.spec
        values = environment(spec.variables, self._server.ports_inside, spec.limits, spec.id)
        problems = await asyncio.to_thread(apply_patches, self._server.layout.data, spec.patches, values)
        for problem in problems:
            log.warning("server %s: %s", spec.id, problem)
        startup = render_startup(spec.startup, values)
        notes = [f"echo {shlex.quote(f'[stellar] {problem}')}" for problem in problems]
        return Launch(
            server_id=spec.id,
            kind="game",
            command="\n".join([*notes, startup]),
            env=values,
            root=self._server.layout.root,
            limits=spec.limits,
            stop_signal=stop_signal(spec.stop) or "SIGTERM",
            startup=startup,
            image=spec.image,
            ports=spec.ports,
            mounts=spec.mounts,
        )

    def _failed(self, message: str) -> None:
        killed = self._server.state == "stopping"
        self._server.change("offline")
        if not killed:
            nowhere = Exit(code=None, signal=None, oom=False, at=time.time())
            self._report_crash(nowhere, message, restarting=False)

    async def _until_running(self, run: Run) -> None:
        matcher = _matcher(self._server.spec)
        if matcher is None:
            await asyncio.sleep(run.started_at + self._policy.settle - time.time())
        else:
            await self._until_done(run.log_start, matcher)
        self._server.change("running")

    async def _until_done(self, position: int, matcher: DoneMatcher) -> None:
        while True:
            self._printed.clear()
            start, data = self._server.console.read(position, SCAN_BYTES)
            position = start + len(data)
            if matcher.feed(data):
                return
            if not data:
                await self._printed.wait()
            await asyncio.sleep(SCAN_PAUSE)

    # Stopping

    async def _stop(self) -> None:
        if self.cancel_restart():
            return
        self._check_can_stop()
        await self._begin_stop(start_again=False)

    async def _restart(self) -> None:
        if self._server.state in {"starting", "running", "stopping"}:
            if self._server.spec.suspended:
                self._check_can_start()
            self._check_can_stop()
            self._server.record.crashes = []
            await self._begin_stop(start_again=True)
            return
        await self._start()

    def _check_can_stop(self) -> None:
        state = self._server.state
        if state == "installing":
            raise Conflict("The server is being installed; wait until that has finished, or kill it.")
        if self._launcher is not None or state not in {"starting", "running"}:
            raise Conflict(f"The server is already {'offline' if state == 'install_failed' else state}.")

    async def _begin_stop(self, *, start_again: bool) -> None:
        run = self._server.run
        if run is None:
            raise Conflict("The server is already offline.")
        self._server.record.start_again = start_again
        self._stopping(grace=self._server.spec.stop.grace_seconds)
        self._wait(self._after_grace(run))
        await self._ask_to_stop(run)

    def _stopping(self, *, grace: float) -> None:
        record = self._server.record
        record.stop_deadline = time.time() + grace
        record.stop_sent = grace == 0
        if self._server.state == "stopping":
            self._server.save()
        else:
            self._server.change("stopping")

    async def _ask_to_stop(self, run: Run) -> None:
        stop = self._server.spec.stop
        name = stop_signal(stop)
        asked = run.signal(name) if name else run.send(f"{stop.command}\n".encode())
        try:
            await asyncio.wait_for(asked, SEND_WITHIN)
        except Exception as error:
            # The grace period ends it all the same, and a run that has just ended needs nothing more.
            log.warning("server %s could not be asked to stop: %s", self._server.id, error)
            return
        self._server.record.stop_sent = True
        self._server.save()

    async def _after_grace(self, run: Run) -> None:
        await asyncio.sleep((self._server.record.stop_deadline or 0) - time.time())
        log.warning("server %s did not stop within its grace period, killing it", self._server.id)
        self._timer = None
        await run.kill()

    # Ends

    def _ended(self, run: Run, end: Exit) -> None:
        self._cancel_timer()
        record = self._server.record
        record.started_at = record.stop_deadline = None
        state = self._server.state
        if state == "stopping":
            self._stopped(end)
        elif state not in {"starting", "running"}:
            log.info("server %s: the end of a run was known already", self._server.id)
        elif end.code == 0 and not end.oom:
            self._server.change("offline", end)
        else:
            self._crashed(end, self._server.tail(run.log_start, CRASH_TAIL))

    def _stopped(self, end: Exit | None) -> None:
        again, self._server.record.start_again = self._server.record.start_again, False
        self._server.change("offline", end)
        if again and not self._server.spec.suspended:
            self._begin_start()

    def _crashed(self, end: Exit, tail: str) -> None:
        record, now = self._server.record, time.time()
        record.crashes = [*(at for at in record.crashes if at > now - self._policy.window), now]
        restarting = len(record.crashes) <= len(self._policy.delays) and not self._server.spec.suspended
        record.restart_at = now + self._policy.delays[len(record.crashes) - 1] if restarting else None
        self._server.change("offline", end)
        self._report_crash(end, tail, restarting=restarting)
        if restarting:
            self._wait(self._start_again())

    def _report_crash(self, end: Exit, tail: str, *, restarting: bool) -> None:
        data = {"code": end.code, "signal": end.signal, "oom": end.oom, "at": end.at}
        self._server.context.report("server.crashed", self._server.id, {**data, "log": tail, "restarting": restarting})

    async def _start_again(self) -> None:
        await asyncio.sleep((self._server.record.restart_at or 0) - time.time())
        self._timer = None
        self._begin_start()

    # After the agent was away

    async def _resume_with(self, run: Run) -> None:
        state = self._server.state
        if state == "stopping":
            self._wait(self._after_grace(run))
            if not self._server.record.stop_sent:
                await self._ask_to_stop(run)
            return
        if state == "offline":
            self._server.change("starting")
        if self._server.state == "starting":
            self._started(run)

    def _resume_without_run(self) -> None:
        record = self._server.record
        record.started_at = record.stop_deadline = None
        if self._server.state == "stopping":
            self._stopped(None)
            return
        lost = Exit(code=None, signal=None, oom=False, at=time.time())
        self._crashed(lost, "It ended while the node's agent was away, for example because the node restarted.")

    def _resume_restart(self) -> None:
        if self._server.record.restart_at is not None:
            self._wait(self._start_again())

    def _wait(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._cancel_timer()
        self._timer = asyncio.create_task(coroutine)
        self._timer.add_done_callback(_retrieve)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None


def stop_signal(stop: Stop) -> str | None:
    """The signal that stops the game, None when it takes a console command; ``^C`` means SIGINT."""
    if stop.signal:
        return stop.signal
    if not stop.command:
        return "SIGTERM"
    return "SIGINT" if stop.command == "^C" else None


def _matcher(spec: ServerSpec) -> DoneMatcher | None:
    if not spec.done:
        return None
    try:
        return compile_done(spec.done)
    except DomainError as error:
        log.warning("server %s: its done-patterns are broken: %s", spec.id, error)
        return None


def _retrieve(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.info("a server's task ended: %s", error)
