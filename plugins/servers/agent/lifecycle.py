"""A server's power: ``offline → starting → running → stopping → offline``, crashes and restarts.

One action at a time; ``kill`` bypasses whatever is under way. Everything that must survive the agent is in the
server's record, so that a new agent goes on where the last one was.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from stellar.errors import Conflict

from ..calls import PowerAction
from .comeback import Comeback, Policy
from .game import game_launch, stop_signal
from .launcher import Launcher, explain
from .prompting import PromptWatch
from .readiness import Readiness
from .runtime import Exit, Run
from .server import Server

log = logging.getLogger(__name__)

ANSWER_WITHIN = 5.0
"""Seconds that a start may take to fail and still be answered with its error; a slower one goes on behind."""
SEND_WITHIN = 5.0
"""Seconds for the game's terminal to take the stop command."""
KILL_AGAIN = 2.0
CRASH_LINES = 200
CRASH_BYTES = 256 * 1024
"""Of the lines that a crash report ends with, at most."""
AWAY = "It ended while the node's agent was away."
NOT_BEGUN = "The node's agent ended before it was started."
ACTIVE = frozenset({"starting", "running", "stopping"})


class Lifecycle:
    """The power of one server."""

    def __init__(self, server: Server, policy: Policy, gate: asyncio.Semaphore) -> None:
        """``gate``: see ``Comeback``."""
        self._server = server
        self._comeback = Comeback(server, policy, gate, lambda: self._begin_start(asked=False))
        self._readiness = Readiness(server, policy.settle)
        self._prompts = PromptWatch(server)
        self._launcher: Launcher | None = None
        """While a start has not yet come to a run."""
        self._launch: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None
        """The one thing that is waited for: that it runs, or the end of the grace period."""
        self._rebooted_at: float | None = None
        """When this agent began, if the machine was started again before that; what ended earlier ended with it."""

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
        self._comeback.stop()
        record = self._server.record
        record.restart_at, record.start_again = None, False
        run = self._server.run
        if self._launcher is not None:
            self._launcher.call_off()
        if self._launcher is not None or run is not None:
            self._stopping(grace=0)
            if run is not None:
                await run.kill()
        elif self._server.state in ACTIVE:
            self._server.change("offline")
        else:
            self._server.save()

    async def resume(self) -> None:
        """Go on where the last agent was."""
        before = self._server.state
        self._rebooted_at = time.time() if self._server.rebooted else None
        found = await Launcher(self._server, self._ended).attach()
        if found is not None:
            self._prompts.resume(found.log_start)
        run = self._server.run
        if run is not None:
            await self._resume_with(run)
        elif before == "offline":
            self._resume_restart()
        elif found is None and before in ACTIVE:
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
        return self._comeback.cancel()

    def check_can_restart(self) -> None:
        """``Conflict`` unless the state allows a restart, which of a server that is off is a start."""
        if self._server.spec.suspended or self._server.state not in ACTIVE:
            self._check_can_start()
        else:
            self._check_can_stop()

    @property
    def launching(self) -> bool:
        """Whether a start has not yet come to a run."""
        return self._launcher is not None

    def close(self) -> None:
        """Let go of it; the game goes on."""
        self._cancel_timer()
        self._comeback.stop()
        self._prompts.close()
        if self._launch is not None:
            self._launch.cancel()

    # Starting

    async def _start(self) -> None:
        self._check_can_start()
        self._server.record.crashes = []
        self._comeback.stop()
        task = self._begin_start(asked=True)
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

    def _begin_start(self, *, asked: bool) -> asyncio.Task[None]:
        self._cancel_timer()
        record = self._server.record
        record.restart_at, record.failure = None, ""
        self._rebooted_at = None
        self._prompts.begin()
        self._server.change("starting")
        self._launcher = Launcher(self._server, self._ended)
        self._launch = asyncio.create_task(self._bring_up(self._launcher, asked))
        self._launch.add_done_callback(_retrieve)
        return self._launch

    async def _bring_up(self, launcher: Launcher, asked: bool) -> None:
        try:
            run = await launcher.launch(lambda: game_launch(self._server))
        except Exception as error:
            why = explain(error)
            self._failed(why.message, asked)
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

    def _failed(self, message: str, asked: bool) -> None:
        """A start that somebody asked for is theirs to repeat; any other is tried again like after a crash."""
        if self._server.state == "stopping":
            self._server.change("offline")
            return
        nowhere = Exit(code=None, signal=None, oom=False, at=time.time())
        self._crashed(nowhere, message, "", again=not asked)

    async def _until_running(self, run: Run) -> None:
        try:
            await self._readiness.reached(run)
        except TimeoutError:
            await self._took_too_long(run)
        else:
            self._server.change("running")

    async def _took_too_long(self, run: Run) -> None:
        limit = self._server.spec.start_timeout
        self._server.record.failure = f"It was not running {limit} s after its start, so it was ended."
        self._server.save()
        log.warning("server %s: %s", self._server.id, self._server.record.failure)
        await self._end(run)

    # Stopping

    async def _stop(self) -> None:
        if self.cancel_restart():
            return
        self._check_can_stop()
        await self._begin_stop(start_again=False)

    async def _restart(self) -> None:
        self.check_can_restart()
        if self._server.state in ACTIVE:
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
        await self._end(run)

    # Ends

    async def _end(self, run: Run) -> None:
        """Kill a run that has had its time, as often as it takes: a runtime may not answer for a while."""
        while self._server.run is run:
            try:
                await run.kill()
            except Exception as error:
                log.warning("server %s could not be killed, trying again: %s", self._server.id, error)
                await asyncio.sleep(KILL_AGAIN)

    def _ended(self, run: Run, end: Exit) -> None:
        self._cancel_timer()
        record = self._server.record
        record.started_at = record.stop_deadline = None
        failure, record.failure = record.failure, ""
        state = self._server.state
        if state not in ACTIVE:
            log.info("server %s: the end of a run was known already", self._server.id)
        elif self._ended_with_the_machine(end):
            self._after_reboot(end)
        elif state == "stopping":
            self._stopped(end)
        elif end.code == 0 and not end.oom and not failure:
            self._server.change("offline", end)
        else:
            self._crashed(end, failure, self._server.last_lines(run.log_start, CRASH_LINES, CRASH_BYTES))

    def _stopped(self, end: Exit | None) -> None:
        again, self._server.record.start_again = self._server.record.start_again, False
        self._server.change("offline", end)
        if again and not self._server.spec.suspended:
            self._begin_start(asked=False)

    def _crashed(self, end: Exit, reason: str, tail: str, *, again: bool = True) -> None:
        due = self._comeback.after_crash()
        restarting = again and due is not None and not self._server.spec.suspended
        self._server.record.restart_at = due if restarting else None
        self._server.change("offline", end)
        data = {"code": end.code, "signal": end.signal, "oom": end.oom, "at": end.at, "reason": reason}
        self._server.context.report("server.crashed", self._server.id, {**data, "log": tail, "restarting": restarting})
        self._comeback.wait()

    # After the machine was started again

    def _ended_with_the_machine(self, end: Exit) -> bool:
        lost = end.code is None and end.signal is None
        return self._rebooted_at is not None and (lost or end.at <= self._rebooted_at)

    def _after_reboot(self, end: Exit | None) -> None:
        """What ran is started again, if its spec says so; what was stopped, or about to be, stays so."""
        record, spec = self._server.record, self._server.spec
        ran = self._server.state != "stopping" or record.start_again
        record.start_again = False
        again = ran and spec.autostart and not spec.suspended
        record.restart_at = time.time() if again else None
        self._server.change("offline", end)
        self._comeback.wait()

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
        reason = AWAY if record.started_at is not None else NOT_BEGUN
        record.started_at = record.stop_deadline = None
        if self._rebooted_at is not None:
            self._after_reboot(None)
        elif self._server.state == "stopping":
            self._stopped(None)
        else:
            self._crashed(Exit(code=None, signal=None, oom=False, at=time.time()), reason, "")

    def _resume_restart(self) -> None:
        if self._rebooted_at is not None and not self._server.spec.autostart:
            self.cancel_restart()
        self._comeback.wait()

    def _wait(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._cancel_timer()
        self._timer = asyncio.create_task(coroutine)
        self._timer.add_done_callback(_retrieve)

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer is not asyncio.current_task():
            self._timer.cancel()
        self._timer = None


def _retrieve(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.info("a server's task ended: %s", error)
