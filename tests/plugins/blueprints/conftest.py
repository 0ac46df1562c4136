"""Playing a built-in blueprint for real: install script, patches and command in a sandbox, on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from game_sources import Sources, game_sources, tarred
from java_parts import jar_of
from minecraft_parts import SERVER

from stellar.plugins.blueprints.format import Loaded, load
from stellar.plugins.blueprints.installing import runnable
from stellar.plugins.blueprints.patterns import compile_done
from stellar.plugins.blueprints.render import environment, render_startup
from stellar.plugins.servers.agent.patches import apply_patches
from stellar.plugins.servers.agent.probe import SEARCH_PATH
from stellar.plugins.servers.spec import ConfigPatch, Limits
from stellar.plugins.servers.spec import Port as ServerPort

BUILTIN = Path(__file__).parents[3] / "plugins" / "blueprints" / "builtin"
NOBODY = 65534


def missing_commands(loaded: Loaded) -> list[str]:
    """The commands that the process runtime needs and this machine lacks."""
    process = loaded.blueprint.runtimes.process
    return (
        [need.command for need in process.requires if not shutil.which(need.command, path=SEARCH_PATH)]
        if process
        else []
    )


class Game:
    """One server of a blueprint."""

    def __init__(self, name: str, home: Path, variables: dict[str, str], memory_mb: int = 0) -> None:
        self.blueprint = load(BUILTIN / name).blueprint
        self.home = home
        self.port = free_port()
        given = {variable.env: variable.default for variable in self.blueprint.variables} | variables
        ports = [ServerPort(ip="0.0.0.0", port=self.port)]
        others = [port for port in self.blueprint.ports[1:] if not port.optional]
        ports += [ServerPort(ip="0.0.0.0", port=free_port(), name=port.name) for port in others]
        self.values = environment(given, ports, Limits(memory_mb=memory_mb))
        self.output = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._terminal = -1

    def install(self, code: int = 0, **told: str) -> str:
        """Run the install script, to its end and this exit code; answers with what it printed."""
        self.output = b""
        self._launch(runnable(self.blueprint.install.script), told)
        assert self.wait_exit(300) == code, self.output.decode(errors="replace")
        printed, self.output = self.output.decode(errors="replace").replace("\r\n", "\n"), b""
        return printed

    def start(self) -> None:
        """Patch the files and start the game."""
        patches = [msgspec.convert(msgspec.to_builtins(patch), ConfigPatch) for patch in self.blueprint.config]
        assert apply_patches(self.home, patches, self.values) == []
        self._give_away()
        self._launch(render_startup(self.blueprint.startup.command, self.values))

    def wait_done(self, seconds: float = 60) -> None:
        """Until a done-pattern has matched the output so far."""
        matcher, fed = compile_done(self.blueprint.startup.done), 0
        deadline = time.monotonic() + seconds
        while not matcher.feed(self.output[fed:]):
            fed = len(self.output)
            self._read(deadline, "a done-pattern")

    def wait_output(self, text: bytes, seconds: float = 20) -> None:
        """Until ``text`` has been printed."""
        deadline = time.monotonic() + seconds
        while text not in self.output:
            self._read(deadline, repr(text))

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._terminal, line.encode() + b"\n")

    def stop(self) -> int:
        """Stop it as its blueprint says; returns the exit status."""
        stop = self.blueprint.stop
        if stop.command is not None:
            self.type(stop.command)
        else:
            os.kill(self._innermost(), getattr(signal, stop.signal or ""))
        return self.wait_exit(stop.grace_seconds)

    def wait_exit(self, seconds: float) -> int:
        """Until it has ended, reading what it prints; returns the exit status."""
        assert self._process is not None
        deadline = time.monotonic() + seconds
        while self._process.poll() is None:
            self._read(deadline, "the end", at_end=False)
        return self._process.returncode

    def close(self) -> None:
        """End whatever is left of it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._terminal >= 0:
            os.close(self._terminal)

    def _launch(self, command: str, told: dict[str, str] | None = None) -> None:
        self._give_away()
        if self._terminal >= 0:
            os.close(self._terminal)
        self._terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        root = os.geteuid() == 0
        self._process = subprocess.Popen(
            [*_sandbox(self.home), "/bin/sh", "-c", command],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=self.home,
            env=self.values | (told or {}) | {"PATH": SEARCH_PATH, "TERM": "xterm-256color", "HOME": str(self.home)},
            start_new_session=True,
            user=NOBODY if root else None,
            group=NOBODY if root else None,
            extra_groups=[] if root else None,
        )
        os.close(inner)

    def _read(self, deadline: float, what: str, *, at_end: bool = True) -> None:
        left = deadline - time.monotonic()
        assert left > 0, f"{what} did not come; the output was {self.output[-3000:]!r}"
        if not select.select([self._terminal], [], [], min(left, 0.1))[0]:
            return
        try:
            self.output += os.read(self._terminal, 65536)
        except OSError:
            assert not at_end, f"{what} did not come before it ended; the output was {self.output[-3000:]!r}"

    def _innermost(self) -> int:
        assert self._process is not None
        found = psutil.Process(self._process.pid)
        while children := found.children():
            found = children[0]
        return found.pid

    def _give_away(self) -> None:
        if os.geteuid() == 0:
            for path in (self.home, *self.home.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def free_port() -> int:
    """A port that is free for TCP and UDP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("0.0.0.0", 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port


def _sandbox(home: Path) -> list[str]:
    """A read-only system in which only ``home`` can be written; nothing where bubblewrap doesn't work."""
    links = [("usr/bin", "/bin"), ("usr/sbin", "/sbin"), ("usr/lib", "/lib"), ("usr/lib64", "/lib64")]
    command = ["bwrap", "--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc"]
    for target, link in links:
        command += ["--symlink", target, link]
    command += ["--bind", str(home), "/home/container", "--chdir", "/home/container", "--tmpfs", "/tmp"]
    command += ["--proc", "/proc", "--dev", "/dev", "--unshare-pid", "--unshare-ipc", "--die-with-parent"]
    command += ["--setenv", "HOME", "/home/container"]
    works = (
        shutil.which("bwrap") and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    )
    return command if works else []


@pytest.fixture
def sources() -> Iterator[Sources]:
    """Stands in for every place that games are downloaded from."""
    with game_sources() as found:
        yield found


@pytest.fixture(scope="session")
def server_jar(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What answers like Minecraft."""
    return jar_of(tmp_path_factory.mktemp("java"), "Server", SERVER)


@pytest.fixture
def small_java() -> bytes:
    """This machine's own Java, packed like Temurin's and under an old name."""
    program = '#!/bin/sh\nexec /usr/bin/java "$@"\n'
    return tarred({"jdk8u402-b06-jre/bin/java": program, "jdk8u402-b06-jre/release": 'JAVA_VERSION="1.8.0_402"\n'})


@pytest.fixture
def game() -> Iterator[Callable[..., Game]]:
    """Makes a ``Game`` of a built-in; skips where the machine lacks what it needs."""
    made: list[Game] = []
    homes: list[Path] = []

    def make(name: str, memory_mb: int = 0, **variables: str) -> Game:
        if missing := missing_commands(load(BUILTIN / name)):
            pytest.skip(f"{name} needs {', '.join(missing)}, which this machine lacks")
        homes.append(Path(tempfile.mkdtemp(prefix="stellar-game-")))
        homes[-1].chmod(0o755)
        made.append(Game(name, homes[-1], variables, memory_mb))
        return made[-1]

    yield make
    for one in made:
        one.close()
    for home in homes:
        shutil.rmtree(home, ignore_errors=True)
