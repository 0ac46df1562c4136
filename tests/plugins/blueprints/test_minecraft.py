"""The Minecraft blueprints: their real install scripts, against sources that answer like the real ones, and starts.

What is started is a small Java program that behaves like a Minecraft server; Minecraft itself can't be had offline.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from game_sources import Sources, sha1, sha256, tarred, zipped
from java_parts import jar_of

MakeGame = Callable[..., Any]

MANIFEST = "https://piston-meta.mojang.com/mc/game/version_manifest_v2.json"
PAPER = "https://fill.papermc.io/v3/projects/paper"
FABRIC = "https://meta.fabricmc.net/v2/versions"
FORGE = "https://maven.minecraftforge.net/net/minecraftforge/forge"
PROMOTIONS = "https://files.minecraftforge.net/net/minecraftforge/forge/promotions_slim.json"
NEOFORGE = "https://maven.neoforged.net/releases/net/neoforged/neoforge"
BEDROCK = "https://net-secondary.web.minecraft-services.net/api/v1.0/download/links"
ADOPTIUM = "https://api.adoptium.net/v3/assets/latest"

SERVER = """
import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.util.*;

public class Server {
    public static void main(String[] args) throws Exception {
        Path eula = Paths.get("eula.txt");
        if (!Files.exists(eula) || !new String(Files.readAllBytes(eula)).contains("eula=true")) {
            Files.write(eula, "eula=false\\n".getBytes());
            System.out.println("You need to agree to the EULA in order to run the server. Go to eula.txt.");
            return;
        }
        Properties properties = new Properties();
        properties.load(new FileReader("server.properties"));
        int port = Integer.parseInt(properties.getProperty("server-port"));
        ServerSocket socket = new ServerSocket(port, 5, InetAddress.getByName(properties.getProperty("server-ip")));
        System.out.println("java " + System.getProperty("java.specification.version"));
        System.out.println("heap " + Runtime.getRuntime().maxMemory() / 1048576);
        System.out.println("flag " + System.getProperty("flag") + " args " + String.join(",", args));
        System.out.println("motd " + properties.getProperty("motd"));
        System.out.println("[12:00:00] [Server thread/INFO]: Done (1.234s)! For help, type \\"help\\"");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null && !line.equals("stop"); );
        System.out.println("Saving worlds");
        System.exit(0);
    }
}
"""
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


@pytest.fixture(scope="module")
def server_jar(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What answers like Minecraft."""
    return jar_of(tmp_path_factory.mktemp("java"), "Server", SERVER)


def mojang(sources: Sources, jar: bytes, **needs: int) -> None:
    """Mojang's list, newest first, with what Java each version needs; the first is a snapshot."""
    entries = []
    for name, major in needs.items():
        version = name.replace("_", ".").lstrip("v")
        details: dict[str, Any] = {"id": version, "downloads": {}, "javaVersion": {"majorVersion": major}}
        if version != "1.2.4":
            url = f"https://piston-data.mojang.com/v1/objects/{version}/server.jar"
            details["downloads"]["server"] = {"sha1": sha1(jar), "size": len(jar), "url": url}
            sources.put(url, jar)
        if major == 8:
            del details["javaVersion"]
        url = f"https://piston-meta.mojang.com/v1/packages/{version}.json"
        data = sources.put(url, details)
        entries.append({"id": version, "type": "release", "url": url, "sha1": sha1(data)})
    latest = {"release": entries[1]["id"], "snapshot": entries[0]["id"]}
    sources.put(MANIFEST, {"latest": latest, "versions": entries})


def play(server: Any, *expected: bytes) -> None:
    """Accept the EULA, start, and stop by the console."""
    server.start()
    server.wait_output(b"You need to agree to the EULA")
    server.wait_exit(20)
    (server.home / "eula.txt").write_text("eula=true\n")
    server.start()
    server.wait_done()
    for text in expected:
        assert text in server.output
    assert server.stop() == 0
    assert b"Saving worlds" in server.output


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


@pytest.fixture
def small_java() -> bytes:
    """This machine's own Java, packed like Temurin's and under an old name."""
    program = '#!/bin/sh\nexec /usr/bin/java "$@"\n'
    return tarred({"jdk8u402-b06-jre/bin/java": program, "jdk8u402-b06-jre/release": 'JAVA_VERSION="1.8.0_402"\n'})


def offer_java(sources: Sources, major: int, archive: bytes, checksum: str | None = None) -> None:
    """Adoptium's answer for a version, and what it leads to."""
    link = f"https://github.com/adoptium/temurin{major}-binaries/releases/download/x/jre.tar.gz"
    sources.put(link, location=f"https://objects.githubusercontent.com/{major}.tar.gz")
    sources.put(f"https://objects.githubusercontent.com/{major}.tar.gz", archive)
    package = {"checksum": checksum or sha256(archive), "link": link, "name": "jre.tar.gz", "size": len(archive)}
    for architecture in ("x64", "aarch64"):
        query = f"architecture={architecture}&image_type=jre&os=linux&vendor=eclipse"
        sources.put(f"{ADOPTIUM}/{major}/hotspot?{query}", [{"binary": {"package": package}}])


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
