"""Installing, over a runtime in memory: the exit code decides, and no end is lost."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from server_parts import Node, make_spec

from stellar.errors import Conflict
from stellar.plugins.blueprints.installing import PYTHON
from stellar.plugins.nodes.settings import AgentSettings
from stellar.plugins.servers.agent.comeback import Policy
from stellar.plugins.servers.agent.install import INTERRUPTED, install_command
from stellar.plugins.servers.agent.managed import Managed
from stellar.plugins.servers.spec import Requirement
from stellar.testing.waiting import wait_for

ABSENT = Requirement(command="no-such-game-server", package="no-such-package")


@pytest.fixture
def policy() -> Policy:
    return Policy(delays=(600.0,))


async def installing(node: Node) -> Managed:
    managed = await node.create(install_script="echo hello")
    await wait_for(lambda: managed.server.run)
    return managed


async def test_nothing_to_install(node: Node) -> None:
    managed = await node.create(install_script="  \n")
    assert managed.server.state == "offline"
    (report,) = node.context.reported("server.installed", managed.server.id)
    assert report["ok"] is True
    assert report["install_id"] == "1"
    assert node.runtime.runs == []


async def test_suspension_ends_an_install_and_begins_none(node: Node) -> None:
    managed = await installing(node)
    spec = managed.server.spec
    await node.manager.apply(replace(spec, suspended=True))
    await wait_for(lambda: managed.server.state == "install_failed")
    await node.manager.apply(replace(spec, suspended=True, install_id="2"))
    assert (len(node.runtime.runs), managed.server.state) == (1, "install_failed")
    await node.manager.apply(replace(spec, install_id="2"))
    await wait_for(lambda: len(node.runtime.runs) == 2)
    assert managed.server.state == "installing"


async def test_an_install_that_succeeds(node: Node) -> None:
    managed = await installing(node)
    assert managed.server.state == "installing"
    assert node.runtime.latest.kind == "install"
    assert managed.state().install.ok is None
    with pytest.raises(Conflict, match="being installed"):
        await managed.power("start")
    node.runtime.latest.print(b"hello\n")
    node.runtime.latest.exit(0)
    assert managed.server.state == "offline"
    (report,) = node.context.reported("server.installed", managed.server.id)
    assert (report["ok"], report["exit_code"], report["log"]) == (True, 0, "hello\n")
    assert report["started_at"] <= report["finished_at"]


async def test_an_install_that_fails_can_be_retried(node: Node) -> None:
    managed = await installing(node)
    node.runtime.latest.print(b"first\n")
    node.runtime.latest.exit(3)
    assert managed.server.state == "install_failed"
    with pytest.raises(Conflict, match="install has failed"):
        await managed.power("start")
    await node.manager.apply(managed.server.spec)
    assert managed.server.state == "install_failed", "the same install isn't tried again by itself"
    await node.manager.apply(msgspec.structs.replace(managed.server.spec, install_id="2"))
    await wait_for(lambda: len(node.runtime.runs) == 2)
    node.runtime.latest.print(b"second\n")
    node.runtime.latest.exit(0)
    assert managed.server.state == "offline"
    reports = node.context.reported("server.installed", managed.server.id)
    assert [(one["install_id"], one["ok"], one["log"]) for one in reports] == [
        ("1", False, "first\n"),
        ("2", True, "second\n"),
    ]


async def test_only_an_offline_server_is_installed_again(node: Node) -> None:
    managed = await node.create()
    again = msgspec.structs.replace(managed.server.spec, install_id="2")
    await managed.power("start")
    with pytest.raises(Conflict, match="stop it before"):
        await node.manager.apply(again)
    assert managed.server.spec.install_id == "1"
    node.runtime.latest.exit(1)
    assert managed.server.record.restart_at is not None
    await node.manager.apply(again)
    assert managed.server.record.restart_at is None, "the restart after the crash is off"
    assert managed.server.record.install.id == "2"


async def test_a_second_install_is_refused_while_one_runs(node: Node) -> None:
    managed = await installing(node)
    with pytest.raises(Conflict, match="being installed already"):
        await node.manager.apply(msgspec.structs.replace(managed.server.spec, install_id="2"))


async def test_an_install_can_be_killed(node: Node) -> None:
    managed = await installing(node)
    await managed.power("kill")
    await wait_for(lambda: managed.server.state == "install_failed")
    (report,) = node.context.reported("server.installed", managed.server.id)
    assert (report["ok"], report["exit_code"]) == (False, None)


async def test_an_install_can_be_killed_before_it_began(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async def prepare(launch: object, on_output: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(node.runtime, "prepare", prepare)
    managed = await node.create(install_script="echo hello")
    await managed.power("kill")
    await wait_for(lambda: managed.server.state == "install_failed")
    assert node.runtime.runs == []


async def test_an_install_that_cannot_begin_says_why(node: Node) -> None:
    node.runtime.refuse = OSError("no space left")
    managed = await node.create(install_script="echo hello")
    await wait_for(lambda: managed.server.state == "install_failed")
    (report,) = node.context.reported("server.installed", managed.server.id)
    assert "no space left" in report["log"]


@pytest.mark.parametrize("code", [0, 5])
async def test_an_install_that_ends_while_the_agent_is_away_is_reported_once(node: Node, code: int) -> None:
    managed = await installing(node)
    node.kill_agent()
    node.runtime.latest.print(b"meanwhile\n")
    node.runtime.latest.exit(code)
    for _ in range(2):
        await node.start_agent()
        assert node.manager.get(managed.server.id).server.state == ("offline" if code == 0 else "install_failed")
        node.kill_agent()
    (report,) = node.context.reported("server.installed", managed.server.id)
    assert (report["ok"], report["exit_code"], report["log"]) == (code == 0, code, "meanwhile\n")


async def test_an_install_goes_on_under_a_new_agent(node: Node) -> None:
    managed = await installing(node)
    node.kill_agent()
    await node.start_agent()
    again = node.manager.get(managed.server.id)
    assert again.server.state == "installing"
    node.runtime.latest.exit(0)
    assert again.server.state == "offline"


async def test_an_install_that_had_not_begun_to_run_begins_under_a_new_agent(node: Node) -> None:
    node.runtime.ready.clear()
    managed = await node.create(install_script="echo hello")
    await wait_for(lambda: node.runtime.preparing)
    node.kill_agent()
    node.runtime.ready.set()
    await node.start_agent()
    again = node.manager.get(managed.server.id)
    await wait_for(lambda: again.server.run)
    assert len(node.runtime.runs) == 1
    node.runtime.latest.exit(0)
    assert again.server.state == "offline"
    (report,) = node.context.reported("server.installed", managed.server.id)
    assert report["ok"]


async def test_an_install_that_a_reboot_ended_has_failed(node: Node) -> None:
    managed = await installing(node)
    node.kill_agent()
    node.runtime.live.clear()
    await node.start_agent()
    assert node.manager.get(managed.server.id).server.state == "install_failed"
    (report,) = node.context.reported("server.installed", managed.server.id)
    assert (report["ok"], report["log"]) == (False, INTERRUPTED)


async def test_a_removed_server_stops_installing(node: Node) -> None:
    managed = await installing(node)
    await node.manager.remove(managed.server.id)
    assert node.runtime.latest.ended is not None


def run(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("sh") or "/bin/sh", "-c", command], cwd=directory, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("echo made > it", 0),
        ("exit 7", 7),
        ("set -e\nfalse\necho unreached", 1),
        ("cat > it <<'EOF'\nmade\nEOF", 0),
        ("true # a comment", 0),
        ("if then fi", 2),
        ("echo 'unclosed", 2),
    ],
)
def test_the_exit_code_is_the_scripts(tmp_path: Path, script: str, code: int) -> None:
    done = run(install_command(make_spec(install_script=script)), tmp_path)
    assert done.returncode == code
    assert "unreached" not in done.stdout
    if code in {0, 7}:
        assert "[stellar] Installing." in done.stdout
        assert ("[stellar] Installed." in done.stdout) == (code == 0)
    if "it" in script and code == 0 and "made" in script:
        assert (tmp_path / "it").read_text() == "made\n"


def test_a_missing_command_is_named_with_its_remedy(tmp_path: Path) -> None:
    spec = make_spec(install_script="echo unreached", requires=[Requirement("sh", "dash"), ABSENT])
    done = run(install_command(spec), tmp_path)
    assert done.returncode != 0
    assert "lacks no-such-game-server" in done.stdout
    assert "apt-get install no-such-package" in done.stdout
    assert "unreached" not in done.stdout
    assert "dash" not in done.stdout


def test_an_image_brings_its_own_commands() -> None:
    assert install_command(make_spec(runtime="docker", requires=[ABSENT])) == ""


async def test_scripts_are_told_of_mirrors_and_the_image(node: Node) -> None:
    mirrors = ["https://a.example=http://10.0.0.5/a", "https://b.example=http://10.0.0.5/b"]
    node.context.config.replace(AgentSettings(mirrors=mirrors))
    managed = await node.create(install_script="echo hello", image="debian:12-slim", variables={"A": "b"})
    await wait_for(lambda: managed.server.run)
    told = node.runtime.launches[-1].env
    assert told["STELLAR_MIRRORS"] == " ".join(mirrors)
    assert (told["STELLAR_IMAGE"], told["A"]) == ("debian:12-slim", "b")


def test_a_script_in_python_is_packed(tmp_path: Path) -> None:
    script = f"{PYTHON}\nfrom stellar_install.console import fail\nfail('none of it')\n"
    done = run(install_command(make_spec(install_script=script)), tmp_path)
    assert (done.returncode, done.stdout.splitlines()[1]) == (1, "[!] none of it")


def test_a_script_that_can_not_be_packed_says_so(tmp_path: Path) -> None:
    done = run(install_command(make_spec(install_script=f"{PYTHON}\ndef\n")), tmp_path)
    assert done.returncode == 1
    assert "not valid Python in line 2" in done.stdout


async def test_an_install_that_the_machine_took_with_it_says_so(node: Node) -> None:
    managed = await node.create(install_script="true")
    await wait_for(lambda: managed.server.run is not None)
    node.runtime.latest.print(b"downloading\n")
    node.kill_agent()
    node.boot = "the next one"
    node.runtime.latest.exit(None)
    await node.start_agent()
    again = node.manager.get(managed.server.id)
    assert again.server.state == "install_failed"
    (report,) = node.context.reported("server.installed", managed.server.id)
    assert "downloading" in report["log"] and INTERRUPTED in report["log"]
