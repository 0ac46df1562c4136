"""Fabric, Forge and NeoForge: as in test_minecraft.py, with an installer that stands in for theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from game_sources import Sources, sha1
from java_parts import jar_of
from minecraft_parts import mojang, offer_java, play

MakeGame = Callable[..., Any]

FABRIC = "https://meta.fabricmc.net/v2/versions"
FORGE = "https://maven.minecraftforge.net/net/minecraftforge/forge"
PROMOTIONS = "https://files.minecraftforge.net/net/minecraftforge/forge/promotions_slim.json"
NEOFORGE = "https://maven.neoforged.net/releases/net/neoforged/neoforge"
INSTALLER = """
import java.nio.file.*;

public class Installer {
    public static void main(String[] args) throws Exception {
        if (args.length != 1 || !args[0].equals("--installServer")) System.exit(2);
        if (Files.exists(Paths.get("refuse"))) { System.out.println("no libraries today"); System.exit(1); }
        System.out.println("installing in java " + System.getProperty("java.specification.version"));
        String version = new String(Files.readAllBytes(Paths.get("version.txt")));
        Path folder = Paths.get(FOLDER + version);
        Files.createDirectories(folder);
        Files.write(folder.resolve("unix_args.txt"), "-cp server.jar Server --fml".getBytes());
    }
}
"""


def fabric(sources: Sources, jar: bytes) -> None:
    """Fabric for one stable version of Minecraft."""
    sources.put(f"{FABRIC}/game", [{"version": "26.1", "stable": False}, {"version": "1.21.8", "stable": True}])
    loaders = [{"version": "0.17.0-beta.1", "stable": False}, {"version": "0.16.14", "stable": True}]
    sources.put(f"{FABRIC}/loader", loaders)
    sources.put(f"{FABRIC}/installer", [{"version": "1.1.0", "stable": True}])
    sources.put(f"{FABRIC}/loader/1.21.8/0.16.14/1.1.0/server/jar", jar)
    sources.put(f"{FABRIC}/loader/1.21.8/0.9.0/1.1.0/server/jar", b"too old", status=400)


def test_fabric(game: MakeGame, sources: Sources, server_jar: bytes) -> None:
    mojang(sources, server_jar, v26_1=25, v1_21_8=17, v1_7_10=8)
    fabric(sources, server_jar)
    server = game("minecraft-fabric")
    printed = server.install(STELLAR_MIRRORS=sources.mirrors)
    assert "Fabric 0.16.14 for Minecraft 1.21.8 is installed." in printed
    play(server, b"args nogui")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"MINECRAFT_VERSION": "1.7.10"}, "There is no Fabric for Minecraft 1.7.10"),
        ({"LOADER_VERSION": "0.9.0"}, "There is no Fabric 0.9.0 for Minecraft 1.21.8"),
    ],
)
def test_fabric_versions(game: MakeGame, sources: Sources, variables: dict[str, str], message: str) -> None:
    mojang(sources, b"jar", v26_1=25, v1_21_8=17, v1_7_10=8)
    fabric(sources, b"jar")
    assert message in game("minecraft-fabric", **variables).install(1, STELLAR_MIRRORS=sources.mirrors)


def maven(sources: Sources, base: str, versions: list[str], installer: bytes) -> None:
    """A repository with the installers of these versions, and their checksums."""
    lines = "".join(f"<version>{version}</version>" for version in versions)
    sources.put(f"{base}/maven-metadata.xml", f"<metadata><versioning>{lines}</versioning></metadata>")
    for version in versions:
        url = f"{base}/{version}/{base.rpartition('/')[2]}-{version}-installer.jar"
        sources.put(url, installer)
        sources.put(f"{url}.sha1", sha1(installer))


@pytest.fixture
def installer(tmp_path: Path) -> Callable[[str], bytes]:
    """Makes an installer that puts its arguments file below this folder."""
    return lambda folder: jar_of(tmp_path / "installer", "Installer", INSTALLER.replace("FOLDER", f'"{folder}/"'))


def forge(sources: Sources, installer: bytes) -> None:
    """Forge for two versions of Minecraft."""
    promotions = {"1.20.1-recommended": "47.4.0", "1.20.1-latest": "47.4.4", "1.21.8-latest": "58.0.1"}
    sources.put(PROMOTIONS, {"homepage": "x", "promos": {**promotions, "1.7.10-latest": "10.13.4.1614"}})
    versions = ["1.7.10-10.13.4.1614-1.7.10", "1.20.1-47.4.0", "1.20.1-47.4.4", "1.21.8-58.0.1"]
    maven(sources, FORGE, versions, installer)


def test_forge(game: MakeGame, sources: Sources, server_jar: bytes, installer: Callable[[str], bytes]) -> None:
    mojang(sources, server_jar, v26_1=25, v1_21_8=17, v1_20_1=17, v1_7_10=8)
    forge(sources, installer("libraries/net/minecraftforge/forge"))
    server = game("minecraft-forge", MINECRAFT_VERSION="1.20.1")
    (server.home / "version.txt").write_text("1.20.1-47.4.0")
    (server.home / "server.jar").write_bytes(server_jar)
    printed = server.install(STELLAR_MIRRORS=sources.mirrors)
    assert "installing in java 17" in printed
    assert "Forge 47.4.0 for Minecraft 1.20.1 is installed." in printed
    (server.home / "user_jvm_args.txt").write_text("# mine\n-Dflag=own\n")
    play(server, b"flag own args --fml,nogui")


def test_forge_is_installed_at_the_first_start_where_only_the_image_has_java(
    game: MakeGame, sources: Sources, server_jar: bytes, installer: Callable[[str], bytes]
) -> None:
    mojang(sources, server_jar, v26_1=25, v1_21_8=17)
    forge(sources, installer("libraries/net/minecraftforge/forge"))
    server = game("minecraft-forge")
    (server.home / "version.txt").write_text("1.21.8-58.0.1")
    (server.home / "server.jar").write_bytes(server_jar)
    printed = server.install(STELLAR_MIRRORS=sources.mirrors, STELLAR_IMAGE="eclipse-temurin:17-jre")
    assert "The installer runs at the first start" in printed
    play(server, b"args --fml,nogui")
    assert b"Running the installer" not in server.output.rpartition(b"agree to the EULA")[2]


def test_forge_that_can_not_be_installed_says_so(
    game: MakeGame, sources: Sources, installer: Callable[[str], bytes]
) -> None:
    mojang(sources, b"jar", v26_1=25, v1_21_8=17)
    forge(sources, installer("x"))
    server = game("minecraft-forge")
    (server.home / "refuse").touch()
    printed = server.install(1, STELLAR_MIRRORS=sources.mirrors)
    assert "no libraries today" in printed
    assert "[!] Forge could not be installed; the reason is above." in printed


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"MINECRAFT_VERSION": "9.9"}, "There is no Forge for Minecraft 9.9; the latest is 1.21.8."),
        (
            {"MINECRAFT_VERSION": "1.20.1", "FORGE_VERSION": "99"},
            "There is no Forge for Minecraft 1.20.1 called 99; the latest is 47.4.4.",
        ),
    ],
)
def test_forge_versions(game: MakeGame, sources: Sources, variables: dict[str, str], message: str) -> None:
    forge(sources, b"jar")
    assert message in game("minecraft-forge", **variables).install(1, STELLAR_MIRRORS=sources.mirrors)


def test_old_forge_names_minecraft_twice(game: MakeGame, sources: Sources, small_java: bytes) -> None:
    mojang(sources, b"jar", v26_1=25, v1_7_10=8)
    forge(sources, b"jar")
    server = game("minecraft-forge", MINECRAFT_VERSION="1.7.10")
    offer_java(sources, 8, small_java)
    server.install(1, STELLAR_MIRRORS=sources.mirrors)
    name = "1.7.10-10.13.4.1614-1.7.10"
    assert f"{FORGE}/{name}/forge-{name}-installer.jar" in sources.asked


def test_neoforge(game: MakeGame, sources: Sources, server_jar: bytes, installer: Callable[[str], bytes]) -> None:
    mojang(sources, server_jar, v26_1=25, v1_21_1=17)
    folder = "libraries/net/neoforged/neoforge"
    versions = ["20.4.237", "21.1.9", "21.1.77", "21.1.78-beta", "26.1.0.1-beta", "0.25w14craftmine.3-beta"]
    maven(sources, NEOFORGE, versions, installer(folder))
    server = game("minecraft-neoforge")
    (server.home / "version.txt").write_text("21.1.77")
    (server.home / "server.jar").write_bytes(server_jar)
    printed = server.install(STELLAR_MIRRORS=sources.mirrors)
    assert "NeoForge 21.1.77 for Minecraft 1.21.1 is installed." in printed
    play(server, b"args --fml,nogui")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"MINECRAFT_VERSION": "1.19"}, "There is no NeoForge for Minecraft 1.19; the latest is 26.1."),
        ({"MINECRAFT_VERSION": "1.21", "NEOFORGE_VERSION": "21.1.77"}, "called 21.1.77; the latest is 21.0.5."),
    ],
)
def test_neoforge_versions(game: MakeGame, sources: Sources, variables: dict[str, str], message: str) -> None:
    maven(sources, NEOFORGE, ["21.0.5", "21.1.77", "26.1.0.1"], b"jar")
    assert message in game("minecraft-neoforge", **variables).install(1, STELLAR_MIRRORS=sources.mirrors)
