"""The Minecraft blueprints: their real install scripts, against sources that answer like the real ones, and starts.

What is started is a small Java program that behaves like a Minecraft server; Minecraft itself can't be had offline.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from game_sources import Sources, sha256, tarred, zipped
from minecraft_parts import mojang, offer_java, play

MakeGame = Callable[..., Any]

PAPER = "https://fill.papermc.io/v3/projects/paper"
BEDROCK = "https://net-secondary.web.minecraft-services.net/api/v1.0/download/links"


def test_vanilla(game: MakeGame, sources: Sources, server_jar: bytes) -> None:
    mojang(sources, server_jar, v26_1_rc1=17, v1_21_8=17, v1_2_4=8)
    flags = "-Dflag=$(id) -XX:+UseSerialGC"
    server = game("minecraft-vanilla", memory_mb=1024, MOTD="Hi; $(id) there", JVM_FLAGS=flags)
    printed = server.install(STELLAR_MIRRORS=sources.mirrors)
    assert "Minecraft 1.21.8 needs Java 17" in printed
    assert (server.home / "server.jar").read_bytes() == server_jar
    play(server, b"java 17", b"flag $(id) args nogui", b"motd Hi; $(id) there")
    heap = int(server.output.split(b"heap ")[1].split()[0])
    assert 700 < heap <= 768


def test_vanilla_keeps_worlds_and_settings_and_fetches_only_what_changed(
    game: MakeGame, sources: Sources, server_jar: bytes
) -> None:
    mojang(sources, server_jar, v26_1=17, v1_21_8=17)
    server = game("minecraft-vanilla")
    server.install(STELLAR_MIRRORS=sources.mirrors)
    (server.home / "world").mkdir()
    (server.home / "world" / "level.dat").write_text("mine")
    (server.home / "server.properties").write_text("# mine\nview-distance=4\n")
    fetched = len(sources.asked)
    printed = server.install(STELLAR_MIRRORS=sources.mirrors)
    assert "is here already" in printed
    assert not any(url.endswith(".jar") for url in sources.asked[fetched:])
    assert (server.home / "world" / "level.dat").read_text() == "mine"
    server.start()
    server.wait_exit(20)
    properties = (server.home / "server.properties").read_text()
    assert properties.startswith("# mine\nview-distance=4\n")
    assert f"server-port={server.port}" in properties


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("9.9", "There is no Minecraft 9.9; the latest is 1.21.8."),
        ("1.21.7", "Did you mean 1.21.4 or 1.2.4?"),
        ("1.2.4", "Mojang offers no server of Minecraft 1.2.4"),
    ],
)
def test_vanilla_says_what_there_is_instead(game: MakeGame, sources: Sources, version: str, message: str) -> None:
    mojang(sources, b"jar", v26_1=17, v1_21_8=17, v1_21_4=17, v1_2_4=8)
    server = game("minecraft-vanilla", MINECRAFT_VERSION=version)
    assert message in server.install(1, STELLAR_MIRRORS=sources.mirrors)
    assert not (server.home / "server.jar").exists()


def test_a_wrong_checksum_leaves_the_old_server(game: MakeGame, sources: Sources) -> None:
    mojang(sources, b"the right one", v26_1=17, v1_21_8=17)
    server = game("minecraft-vanilla")
    (server.home / "server.jar").write_text("the old one")
    sources.put("https://piston-data.mojang.com/v1/objects/1.21.8/server.jar", b"another one")
    printed = server.install(1, STELLAR_MIRRORS=sources.mirrors)
    assert "wrong checksum" in printed
    assert (server.home / "server.jar").read_text() == "the old one"
    assert not list(server.home.glob("*.part"))


def test_a_forged_description_is_refused(game: MakeGame, sources: Sources) -> None:
    mojang(sources, b"jar", v26_1=17, v1_21_8=17)
    sources.put("https://piston-meta.mojang.com/v1/packages/1.21.8.json", {"id": "1.21.8"})
    assert "wrong checksum" in game("minecraft-vanilla").install(1, STELLAR_MIRRORS=sources.mirrors)


def test_the_lowest_java_that_fits_is_taken(game: MakeGame, sources: Sources, server_jar: bytes) -> None:
    if not Path("/usr/lib/jvm/temurin-25-jdk-amd64").exists():
        pytest.skip("optional: this machine has one Java only")
    mojang(sources, server_jar, v26_2=25, v26_1=25, v1_20_1=17)
    server = game("minecraft-vanilla", MINECRAFT_VERSION="26.1")
    assert "Java 25 is here and fits" in server.install(STELLAR_MIRRORS=sources.mirrors)
    play(server, b"java 25")
    server = game("minecraft-vanilla", MINECRAFT_VERSION="1.20.1")
    assert "Java 17 is here and fits" in server.install(STELLAR_MIRRORS=sources.mirrors)


def test_a_java_that_the_node_lacks_is_put_into_the_servers_folder(
    game: MakeGame, sources: Sources, server_jar: bytes, small_java: bytes
) -> None:
    mojang(sources, server_jar, v26_1=25, v1_12_2=8)
    offer_java(sources, 8, small_java)
    server = game("minecraft-vanilla", MINECRAFT_VERSION="1.12.2")
    printed = server.install(STELLAR_MIRRORS=sources.mirrors)
    assert "no Java that fits, so Java 8 (Eclipse Temurin) is put into the server's folder" in printed
    assert "apt-get install openjdk-8-jre-headless" in printed
    assert "Redirect" not in printed
    play(server, b"[Server thread/INFO]: Done")
    assert (server.home / ".stellar" / "java-8" / "bin" / "java").exists()
    assert "Java 8 is here already" in server.install(STELLAR_MIRRORS=sources.mirrors)


def test_a_missing_java_says_what_to_install(game: MakeGame, sources: Sources, server_jar: bytes) -> None:
    mojang(sources, server_jar, v26_1=25, v1_12_2=8)
    offer_java(sources, 8, tarred({"x/bin/java": "#!/bin/sh"}))
    server = game("minecraft-vanilla", MINECRAFT_VERSION="1.12.2")
    server.install(STELLAR_MIRRORS=sources.mirrors)
    shutil.rmtree(server.home / ".stellar" / "java-8")
    server.start()
    server.wait_exit(20)
    assert b"requires running the server with Java 8 or newer; here is 17" in server.output
    assert b"apt-get install openjdk-8-jre-headless" in server.output


@pytest.mark.parametrize(
    ("image", "brings"), [("eclipse-temurin:17-jre", 17), ("debian:12-slim", None), ("eclipse-temurin:8-jre", None)]
)
def test_in_a_container_the_image_decides(
    game: MakeGame, sources: Sources, small_java: bytes, image: str, brings: int | None
) -> None:
    mojang(sources, b"jar", v26_1=17, v1_21_8=17)
    offer_java(sources, 17, small_java)
    server = game("minecraft-vanilla")
    printed = server.install(STELLAR_MIRRORS=sources.mirrors, STELLAR_IMAGE=image)
    assert ("Java 17 is here and fits" in printed) == (brings is not None)
    assert (server.home / ".stellar" / "java-17").exists() == (brings is None)


def paper(sources: Sources, jar: bytes) -> None:
    """Paper with a version that isn't stable yet, a stable one, and an old one."""
    sources.put(PAPER, {"project": {"id": "paper"}, "versions": {"26.1": ["26.1-rc1"], "1.21": ["1.21.8", "1.21.4"]}})
    channels = {"26.1-rc1": ["ALPHA"], "1.21.8": ["BETA", "STABLE", "STABLE"], "1.21.4": ["STABLE"]}
    for version, kinds in channels.items():
        builds = []
        for back, channel in enumerate(kinds):
            number = 60 - back
            url = f"https://fill-data.papermc.io/v1/objects/x/paper-{version}-{number}.jar"
            sources.put(url, jar)
            download = {"name": "paper.jar", "checksums": {"sha256": sha256(jar)}, "size": len(jar), "url": url}
            builds.append({"id": number, "channel": channel, "downloads": {"server:default": download}})
        sources.put(f"{PAPER}/versions/{version}/builds", builds)
        java_version = {"version": {"minimum": 17}, "flags": {"recommended": []}}
        sources.put(f"{PAPER}/versions/{version}", {"version": {"id": version, "java": java_version}, "builds": [60]})


def test_paper(game: MakeGame, sources: Sources, server_jar: bytes) -> None:
    paper(sources, server_jar)
    server = game("minecraft-paper")
    assert "Paper 1.21.8 build 59 is installed." in server.install(STELLAR_MIRRORS=sources.mirrors)
    assert all("Stellar" in agent for agent in sources.agents)
    play(server, b"args nogui")


@pytest.mark.parametrize(
    ("variables", "code", "message"),
    [
        ({"MINECRAFT_VERSION": "1.21.4"}, 0, "Paper 1.21.4 build 60 is installed."),
        ({"MINECRAFT_VERSION": "1.21.8", "PAPER_BUILD": "58"}, 0, "Paper 1.21.8 build 58 is installed."),
        ({"MINECRAFT_VERSION": "snapshot"}, 0, "This build is not stable yet (alpha): keep backups."),
        ({"MINECRAFT_VERSION": "9.9"}, 1, "There is no Paper for Minecraft 9.9"),
        ({"PAPER_BUILD": "7"}, 1, "There is no build of Paper 1.21.8 with the number 7; the latest is build 60."),
    ],
)
def test_paper_versions(game: MakeGame, sources: Sources, variables: dict[str, str], code: int, message: str) -> None:
    paper(sources, b"jar")
    assert message in game("minecraft-paper", **variables).install(code, STELLAR_MIRRORS=sources.mirrors)


def bedrock(sources: Sources, program: str) -> None:
    """Bedrock's links, its newest version and an older one."""
    files = "https://www.minecraft.net/bedrockdedicatedserver"
    archive = zipped({"bedrock_server": program, "server.properties": "server-port=1\nview=2\n", "new.txt": "new"})
    for url in (f"{files}/bin-linux/bedrock-server-1.21.100.6.zip", f"{files}/bin-linux/bedrock-server-1.21.51.02.zip"):
        sources.put(url, archive)
    links = [
        {"downloadType": "serverBedrockWindows", "downloadUrl": f"{files}/bin-win/bedrock-server-1.21.100.6.zip"},
        {"downloadType": "serverBedrockLinux", "downloadUrl": f"{files}/bin-linux/bedrock-server-1.21.100.6.zip"},
        {"downloadType": "serverBedrockPreviewLinux", "downloadUrl": f"{files}/bin-linux-preview/bedrock-server-2.zip"},
    ]
    sources.put(BEDROCK, {"result": {"links": links}})


PROGRAM = """#!/bin/sh
echo "libraries in $LD_LIBRARY_PATH"
cat server.properties
echo '[2026-01-01 00:00:00:000 INFO] Server started.'
while read -r line; do [ "$line" != stop ] || exit 0; done
"""


def test_bedrock(game: MakeGame, sources: Sources) -> None:
    bedrock(sources, PROGRAM)
    server = game("minecraft-bedrock", EULA="true", SERVER_NAME="Bed $(id)")
    assert "Bedrock 1.21.100.6 is installed." in server.install(STELLAR_MIRRORS=sources.mirrors)
    server.start()
    server.wait_done()
    assert b"libraries in ." in server.output
    assert b"server-name=Bed $(id)" in server.output
    assert server.stop() == 0
    (server.home / "server.properties").write_text("mine=1\n")
    (server.home / "new.txt").write_text("old")
    server.install(STELLAR_MIRRORS=sources.mirrors)
    assert (server.home / "server.properties").read_text() == "mine=1\n"
    assert (server.home / "new.txt").read_text() == "new"


@pytest.mark.parametrize(
    ("variables", "code", "message"),
    [
        ({}, 1, "Read https://aka.ms/MinecraftEULA. If you agree"),
        ({"EULA": "true", "BEDROCK_VERSION": "1.21.51.02"}, 0, "Bedrock 1.21.51.02 is installed."),
        ({"EULA": "true", "BEDROCK_VERSION": "9.9"}, 1, "There is no Bedrock server 9.9; the latest is 1.21.100.6."),
    ],
)
def test_bedrock_versions(game: MakeGame, sources: Sources, variables: dict[str, str], code: int, message: str) -> None:
    bedrock(sources, PROGRAM)
    assert message in game("minecraft-bedrock", **variables).install(code, STELLAR_MIRRORS=sources.mirrors)
