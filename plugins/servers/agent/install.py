"""Installing a server: its blueprint's script, run like the game itself and into the same console."""

from __future__ import annotations

import asyncio
import logging
import shlex
import time

from stellar.errors import Conflict, Invalid
from stellar.plugins.blueprints.installing import runnable
from stellar.plugins.nodes.settings import AgentSettings

from ..calls import InstallState
from ..spec import Requirement, ServerSpec
from .launcher import Launcher, explain
from .probe import find_command
from .runtime import Exit, Launch, Run
from .server import Server

log = logging.getLogger(__name__)

REPORTED_TAIL = 64 * 1024
INTERRUPTED = "The install was interrupted because the node restarted; install the server again."
KILLED_EARLY = "The install was killed before it began; install the server again."


class Installer:
    """Installs one server; the exit code decides. It goes on while the agent is away."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._launcher: Launcher | None = None
        self._launch: asyncio.Task[None] | None = None

    def wanted(self, spec: ServerSpec) -> bool:
        """Whether ``spec`` asks for another install than the latest."""
        latest = self._server.record.install
        return latest is None or latest.id != spec.install_id

    def check(self) -> None:
        """``Conflict`` unless the server's state allows an install."""
        state = self._server.state
        if state == "installing":
            raise Conflict("The server is being installed already; wait until that has finished, or kill it.")
        if state not in {"offline", "install_failed"}:
            raise Conflict(f"The server is {state}; stop it before it is installed again.")

    def begin(self) -> None:
        """Install the server as its spec says, in the background."""
        self.check()
        record = self._server.record
        record.install = InstallState(
            id=self._server.spec.install_id, ok=None, exit_code=None, started_at=time.time(), finished_at=None
        )
        record.restart_at, record.crashes, record.install_begun = None, [], False
        self._server.change("installing")
        self._go()

    def _go(self) -> None:
        script = install_command(self._server.spec)
        if not script:
            self._finish(exit_code=None, text="There was nothing to install.", ok=True)
            return
        self._launcher = Launcher(self._server, self._ended, self._begun)
        self._launch = asyncio.create_task(self._bring_up(self._launcher, script))

    async def kill(self) -> None:
        """End the install now; it has failed then."""
        run = self._server.run
        if self._launcher is not None:
            self._launcher.call_off()
        elif run is None:
            self._finish(exit_code=None, text=KILLED_EARLY, ok=False)
        if run is not None:
            await run.kill()

    async def resume(self) -> None:
        """Go on where the last agent was; what had not begun to run, such as while its image was pulled, begins now."""
        if await Launcher(self._server, self._ended).attach() is not None:
            return
        if self._server.record.install_begun:
            self._finish(exit_code=None, text=INTERRUPTED, ok=False)
        else:
            self._go()

    @property
    def launching(self) -> bool:
        """Whether an install has not yet come to a run."""
        return self._launcher is not None

    def close(self) -> None:
        """Let go of it; the install goes on."""
        if self._launch is not None:
            self._launch.cancel()

    async def _bring_up(self, launcher: Launcher, script: str) -> None:
        async def make() -> Launch:
            spec = self._server.spec
            return Launch(
                server_id=spec.id,
                kind="install",
                command=script,
                env=await self._server.environment() | self._told(),
                root=self._server.layout.root,
                limits=spec.limits,
                image=spec.install_image or spec.image,
                shell=spec.install_shell,
            )

        try:
            run = await launcher.launch(make)
        except Exception as error:
            self._finish(exit_code=None, text=explain(error).message, ok=False)
            return
        finally:
            self._launcher = None
        if run is None:
            self._finish(exit_code=None, text=KILLED_EARLY, ok=False)

    def _begun(self) -> None:
        self._server.record.install_begun = True
        self._server.save()

    def _told(self) -> dict[str, str]:
        """What install scripts are told besides the server's variables."""
        mirrors = self._server.context.config.section(AgentSettings).mirrors
        return {"STELLAR_MIRRORS": " ".join(mirrors), "STELLAR_IMAGE": self._server.spec.image or ""}

    def _ended(self, run: Run, end: Exit) -> None:
        latest = self._server.record.install
        if self._server.state != "installing" or latest is None:
            log.info("server %s: the end of its install was known already", self._server.id)
            return
        text = self._server.tail(run.log_start, REPORTED_TAIL)
        if end.code is None and end.signal is None:
            text = f"{text}\n{INTERRUPTED}"
        self._finish(exit_code=end.code, text=text, ok=end.code == 0 and not end.oom)

    def _finish(self, *, exit_code: int | None, text: str, ok: bool) -> None:
        record, now = self._server.record, time.time()
        started = record.install.started_at if record.install else now
        install_id = record.install.id if record.install else self._server.spec.install_id
        record.install = InstallState(id=install_id, ok=ok, exit_code=exit_code, started_at=started, finished_at=now)
        report = {
            "install_id": install_id,
            "ok": ok,
            "exit_code": exit_code,
            "log": text,
            "started_at": started,
            "finished_at": now,
        }
        self._server.context.report("server.installed", self._server.id, report)
        self._server.change("offline" if ok else "install_failed")


def missing_requirements(spec: ServerSpec) -> list[Requirement]:
    """What the process runtime would need on this host and doesn't find."""
    if spec.runtime != "process":
        return []
    return [requirement for requirement in spec.requires if find_command(requirement.command) is None]


def install_command(spec: ServerSpec) -> str:
    """The shell lines to run, with a line before and after that says what happens; empty: nothing to do."""
    missing = missing_requirements(spec)
    if missing:
        return _refusal(_lacks(missing))
    try:
        script = runnable(spec.install_script or "")
    except Invalid as error:
        return _refusal(error.message)
    if not script.strip():
        return ""
    return (
        "echo '[stellar] Installing.'\n"
        f"(\n{script}\n)\n"
        "stellar_code=$?\n"
        "if [ \"$stellar_code\" -eq 0 ]; then echo '[stellar] Installed.'\n"
        'else echo "[stellar] The install failed with exit code $stellar_code."\n'
        "fi\n"
        'exit "$stellar_code"\n'
    )


def _refusal(reason: str) -> str:
    """The console is written only by what runs in it, so the refusal is itself a command."""
    return f"echo {shlex.quote(f'[stellar] {reason}')}\nexit 1\n"


def _lacks(missing: list[Requirement]) -> str:
    commands = ", ".join(requirement.command for requirement in missing)
    packages = " ".join(dict.fromkeys(requirement.package for requirement in missing))
    return f"This node lacks {commands}. Install it there with: apt-get install {packages}"
