"""A game's known prompts: found in its output once a run, at little cost, and answered with one call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from server_parts import Node

from stellar.errors import Conflict, NotFound
from stellar.plugins.servers.agent import prompting
from stellar.plugins.servers.agent.comeback import Policy
from stellar.plugins.servers.agent.prompting import PromptFinder
from stellar.plugins.servers.known_prompts import KNOWN, link_in, prompts_of
from stellar.plugins.servers.spec import Prompt
from stellar.testing.waiting import wait_for

EULA = b"[12:00:01] [main/INFO]: \x1b[33mYou need to agree to the EULA\x1b[0m in order to run the server. eula.txt\r\n"
ALL = prompts_of(KNOWN)


def found(*pieces: bytes) -> list[tuple[str, str]]:
    finder = PromptFinder(ALL)
    return [(prompt.name, line) for piece in pieces for prompt, line in finder.find(piece)]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (EULA, "eula"),
        (b"Exception in thread main java.lang.UnsupportedClassVersionError: net/minecraft\n", "java_version"),
        (b"Minecraft 1.18 requires running the server with Java 17 or above.\n", "java_version"),
        (b"OpenJDK warning: pthread_create failed (EAGAIN)\n", "pid_limit"),
        (b"java.lang.OutOfMemoryError: unable to create native thread\n", "pid_limit"),
        (b"Error! App '258550' state is 0x202 after update job.\n", "steam_disk_space"),
        (b"SteamCMD needs 250MB of free disk space to update.\n", "steam_disk_space"),
        (b"Could not log in (GSL token expired)\n", "gsl_token"),
        (b"visit https://oauth.accounts.hytale.com/oauth2/device/verify?user_code=Ab-12\n", "hytale_oauth"),
    ],
)
def test_each_known_prompt_is_found(line: bytes, name: str) -> None:
    assert {one for one, _ in found(line)} == {name}
    assert {one for one, _ in found(line.swapcase() if b"\x1b" not in line else line)} == {name}


def test_the_line_is_told_without_its_colours() -> None:
    ((_, line),) = found(b"Loading\n", EULA, b"Stopping\n")
    assert line == "[12:00:01] [main/INFO]: You need to agree to the EULA in order to run the server. eula.txt"


@given(st.integers(min_value=0, max_value=len(EULA)), st.integers(min_value=0, max_value=len(EULA)))
def test_how_the_output_is_cut_does_not_matter(one: int, other: int) -> None:
    first, second = sorted((one, other))
    assert ("eula" in {name for name, _ in found(EULA[:first], EULA[first:second], EULA[second:])}) is True


@given(st.binary(max_size=4000))
def test_noise_asks_nothing_and_breaks_nothing(data: bytes) -> None:
    assert found(data) == []


def test_only_the_games_own_site_becomes_a_link() -> None:
    page = "https://oauth.accounts.hytale.com/oauth2/device/verify?user_code=Ab-12"
    assert link_in("hytale_oauth", f"go to {page} now") == page
    assert link_in("hytale_oauth", "https://evil.example/oauth2/device/verify?user_code=x") is None
    assert link_in("hytale_oauth", f"{page}<script>") == page
    assert link_in("eula", page) == "https://aka.ms/MinecraftEULA"
    assert link_in("pid_limit", page) is None


def test_unknown_features_mean_nothing() -> None:
    assert prompts_of(["", "nonsense", "plugin/minecraft"]) == []


@pytest.fixture
async def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Node]:
    monkeypatch.setattr(prompting, "PAUSE", 0.01)
    node = Node(tmp_path, Policy(delays=(0.01, 0.02), settle=0.05))
    await node.manager.load()
    yield node
    node.manager.close()


async def test_a_prompt_is_reported_once_a_run_and_accepted_with_one_call(node: Node) -> None:
    managed = await node.create(prompts=prompts_of(["eula"]))
    (managed.server.layout.data / "eula.txt").write_text("# by Mojang\neula=false\n")
    await managed.power("start")
    node.runtime.latest.print(b"Loading\n" + EULA)
    node.runtime.latest.print(EULA)
    node.runtime.latest.exit(0)
    await wait_for(lambda: node.context.reported("server.prompt", managed.server.id))
    (told,) = node.context.reported("server.prompt", managed.server.id)
    assert told["name"] == "eula"
    assert told["at"] > [at["at"] for at in node.context.reported("server.state", managed.server.id)][-2]
    await managed.answer("eula")
    assert (managed.server.layout.data / "eula.txt").read_text() == "# by Mojang\neula=true\n"
    assert managed.server.state == "starting"
    node.runtime.latest.print(EULA)
    await wait_for(lambda: len(node.context.reported("server.prompt", managed.server.id)) == 2)


async def test_a_missing_file_is_made_and_one_that_leads_away_is_not_touched(node: Node, tmp_path: Path) -> None:
    managed = await node.create(prompts=prompts_of(["eula"]))
    await managed.answer("eula")
    assert "eula=true" in (managed.server.layout.data / "eula.txt").read_text()
    precious = tmp_path / "precious"
    precious.write_text("eula=false\n")
    other = await node.create(prompts=prompts_of(["eula"]))
    (other.server.layout.data / "eula.txt").symlink_to(precious)
    with pytest.raises(Conflict, match=r"eula\.txt"):
        await other.answer("eula")
    assert precious.read_text() == "eula=false\n"
    assert other.server.state == "offline", "nothing is started that would only ask again"


async def test_what_is_installed_or_stopping_is_not_answered(node: Node) -> None:
    managed = await node.create(prompts=prompts_of(["eula"]), install_script="sleep 1")
    await wait_for(lambda: managed.server.run is not None)
    with pytest.raises(Conflict, match="being installed"):
        await managed.answer("eula")
    assert not (managed.server.layout.data / "eula.txt").exists()
    node.runtime.latest.exit(0)
    await managed.power("start")
    await managed.power("stop")
    with pytest.raises(Conflict, match="already stopping"):
        await managed.answer("eula")


async def test_only_what_can_be_accepted_is(node: Node) -> None:
    managed = await node.create(prompts=prompts_of(["pid_limit"]))
    for name in ("pid_limit", "eula", "../eula"):
        with pytest.raises(NotFound):
            await managed.answer(name)


async def test_a_command_can_be_the_answer(node: Node) -> None:
    prompt = Prompt("sure", "regex:^Are you sure\\?", "Sure?", "It asks.", "Yes", command="yes")
    managed = await node.create(prompts=[prompt])
    with pytest.raises(Conflict):
        await managed.answer("sure")
    await managed.power("start")
    node.runtime.latest.print(b"Are you sure?")
    await wait_for(lambda: node.context.reported("server.prompt", managed.server.id))
    await managed.answer("sure")
    assert node.runtime.latest.typed == [b"yes\n"]


async def test_installs_and_earlier_runs_ask_nothing(node: Node) -> None:
    managed = await node.create(prompts=prompts_of(["eula"]), install_script="true")
    await wait_for(lambda: managed.server.run is not None)
    node.runtime.latest.print(EULA)
    node.runtime.latest.exit(0)
    await managed.power("start")
    node.runtime.latest.print(b"Ready\n")
    await wait_for(lambda: managed.server.state == "running")
    assert not node.context.reported("server.prompt", managed.server.id)


async def test_a_new_agent_finds_what_was_asked_meanwhile_but_not_again(node: Node) -> None:
    managed = await node.create(prompts=prompts_of(["eula", "pid_limit"]))
    await managed.power("start")
    node.runtime.latest.print(EULA)
    await wait_for(lambda: node.context.reported("server.prompt", managed.server.id))
    node.kill_agent()
    node.runtime.latest.print(b"failed to create thread\n")
    await node.start_agent()
    await wait_for(lambda: len(node.context.reported("server.prompt", managed.server.id)) == 2)
    told = [one["name"] for one in node.context.reported("server.prompt", managed.server.id)]
    assert told == ["eula", "pid_limit"]


async def test_a_flood_is_skipped_to_its_end(node: Node) -> None:
    managed = await node.create(prompts=prompts_of(["eula"]))
    await managed.power("start")
    node.runtime.latest.print(b"y\n" * (2 * prompting.MAX_BEHIND) + EULA)
    await wait_for(lambda: node.context.reported("server.prompt", managed.server.id))


async def test_without_prompts_nothing_is_read(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    managed = await node.create()
    monkeypatch.setattr(prompting.PromptWatch, "_scan", lambda _watch: pytest.fail("it looked"))
    await managed.power("start")
    node.runtime.latest.print(EULA + b"Ready\n")
    await wait_for(lambda: managed.server.state == "running")


async def test_prompts_that_come_with_an_update_count_from_the_next_start(node: Node) -> None:
    managed = await node.create()
    await managed.power("start")
    node.runtime.latest.print(b"Ready\n")
    await wait_for(lambda: managed.server.state == "running")
    await node.manager.apply(msgspec.structs.replace(managed.server.spec, prompts=prompts_of(["eula"])))
    await managed.power("restart")
    node.runtime.latest.exit(0)
    await wait_for(lambda: len(node.runtime.runs) == 2)
    node.runtime.latest.print(EULA)
    await wait_for(lambda: node.context.reported("server.prompt", managed.server.id))
