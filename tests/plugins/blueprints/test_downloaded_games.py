"""Games and voice servers that are downloaded: their real install scripts, and starts of programs that stand in."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from game_sources import Sources, sha256, tarred, zipped

from stellar.plugins.blueprints.stellar_install.steam import LOADER

MakeGame = Callable[..., Any]

TSHOCK = "https://api.github.com/repos/Pryaxis/TShock/releases"
FACTORIO = "https://factorio.com"
TEAMSPEAK = "https://www.teamspeak.com/versions/server.json"
STEAMCMD = "https://steamcdn-a.akamaihd.net/client/installer/steamcmd_linux.tar.gz"

ECHO = """#!/bin/sh
printf 'argument <%s>\\n' "$@"
echo "libraries $LD_LIBRARY_PATH"
echo 'DONE'
while read -r line; do [ "$line" != 'STOP' ] || exit 0; done
"""


def program(done: str, stop: str = "") -> str:
    """Prints its arguments and ``done``, and ends at the command ``stop``."""
    return ECHO.replace("DONE", done).replace("STOP", stop)


def tshock(sources: Sources, digest: str | None = None) -> None:
    """Two releases on GitHub, the newer one a preview."""
    tar = tarred({"TShock.Server": program("Server started", "exit"), "tshock/config.json": "{}"}, "")
    archive = zipped({"TShock-Beta-linux-x64-Release.tar": tar})
    releases = []
    for tag, prerelease in (("v6.0.0-pre1", True), ("v5.2.4", False), ("v5.2.0", False)):
        assets = []
        for kind in ("linux-arm64", "linux-amd64" if tag == "v5.2.4" else "linux-x64", "win-x64"):
            name = f"TShock-5.2-for-Terraria-1.4.4.9-{kind}-Release.zip"
            url = f"https://github.com/Pryaxis/TShock/releases/download/{tag}/{name}"
            sources.put(url, location=f"https://release-assets.githubusercontent.com/{tag}/{name}")
            sources.put(f"https://release-assets.githubusercontent.com/{tag}/{name}", archive)
            digests = digest or f"sha256:{sha256(archive)}"
            assets.append({"name": name, "browser_download_url": url, "digest": digests})
        releases.append({"tag_name": tag, "draft": False, "prerelease": prerelease, "assets": assets})
    sources.put(TSHOCK, releases)


@pytest.fixture
def installs(game: MakeGame, monkeypatch: pytest.MonkeyPatch) -> MakeGame:
    """``game`` for blueprints whose runtime this machine may lack: only the install needs to work here."""
    module = __import__("sys").modules[game.__module__]
    monkeypatch.setattr(module, "missing_commands", lambda loaded: [])
    return game


def test_tshock(installs: MakeGame, sources: Sources) -> None:
    tshock(sources)
    server = installs("terraria-tshock", WORLD_NAME="my-world", PASSWORD="a b")
    assert "TShock v5.2.4 is installed." in server.install(STELLAR_MIRRORS=sources.mirrors)
    server.start()
    server.wait_done()
    for words in (b"<worlds/my-world.wld>", b"<a b>", b"<-autocreate>\r\nargument <2>"):
        assert words in server.output
    assert server.stop() == 0
    (server.home / "tshock" / "config.json").write_text("mine")
    server.install(STELLAR_MIRRORS=sources.mirrors)
    assert (server.home / "tshock" / "config.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("version", "digest", "code", "message"),
    [
        ("5.2.0", None, 0, "TShock v5.2.0 is installed."),
        ("9.9", None, 1, "There is no TShock 9.9; the latest is 5.2.4."),
        ("latest", "sha256:" + "0" * 64, 1, "wrong checksum"),
    ],
)
def test_tshock_versions(
    installs: MakeGame, sources: Sources, version: str, digest: str | None, code: int, message: str
) -> None:
    tshock(sources, digest)
    server = installs("terraria-tshock", TSHOCK_VERSION=version)
    assert message in server.install(code, STELLAR_MIRRORS=sources.mirrors)


MAKE_SAVE = '[ "$1" != --create ] || { echo made > "$2"; exit; }\n'


def factorio(sources: Sources) -> None:
    """A stable release and an experimental one."""
    releases = {"stable": {"headless": "2.0.28"}, "experimental": {"headless": "2.0.30"}}
    sources.put(f"{FACTORIO}/api/latest-releases", releases)
    run = program("Hosting game at IP ADDR", "/quit").replace("#!/bin/sh\n", "#!/bin/sh\n" + MAKE_SAVE)
    example = json.dumps({"name": "x", "visibility": {"public": True, "lan": True}, "_comment": "kept"})
    lines = []
    for version in ("2.0.28", "2.0.30", "1.1.110"):
        files = {"factorio/bin/x64/factorio": run, "factorio/data/server-settings.example.json": example}
        files["factorio/data/server-whitelist.example.json"] = '["Rseding91", "Oxyd"]'
        archive = tarred(files, "xz")
        sources.put(
            f"{FACTORIO}/get-download/{version}/headless/linux64", location=f"https://dl.factorio.com/{version}"
        )
        sources.put(f"https://dl.factorio.com/{version}", archive)
        old = version.startswith("1.")
        name = f"factorio_headless_x64_{version}" if old else f"factorio-headless_linux_{version}"
        lines.append(f"{sha256(archive)}  {name}.tar.xz")
    sources.put(f"{FACTORIO}/download/sha256sums/", "\n".join(lines))


def test_factorio(game: MakeGame, sources: Sources) -> None:
    factorio(sources)
    server = game("factorio", SERVER_NAME='Fab "x" $(id)', SAVE_NAME="mine")
    assert "Factorio 2.0.28 is installed." in server.install(STELLAR_MIRRORS=sources.mirrors)
    assert json.loads((server.home / "server-whitelist.json").read_text()) == []
    server.start()
    server.wait_done()
    settings = json.loads((server.home / "server-settings.json").read_text())
    assert settings["name"] == 'Fab "x" $(id)'
    assert settings["visibility"] == {"public": False, "lan": True}
    assert settings["_comment"] == "kept"
    assert b"<--start-server>\r\nargument <saves/mine.zip>" in server.output
    assert b"rcon" not in server.output
    assert server.stop() == 0
    (server.home / "saves" / "mine.zip").write_text("played")
    server.install(STELLAR_MIRRORS=sources.mirrors)
    server.values |= {"SERVER_PORT_RCON": "27015", "RCON_PASSWORD": "a 'b"}
    server.start()
    server.wait_done()
    assert (server.home / "saves" / "mine.zip").read_text() == "played"
    assert b"<--rcon-port>\r\nargument <27015>\r\nargument <--rcon-password>\r\nargument <a 'b>" in server.output


@pytest.mark.parametrize(
    ("version", "code", "message"),
    [
        ("experimental", 0, "Factorio 2.0.30 is installed."),
        ("1.1.110", 0, "Factorio 1.1.110 is installed."),
        ("9.9", 1, "There is no Factorio 9.9; the latest is 2.0.28."),
    ],
)
def test_factorio_versions(game: MakeGame, sources: Sources, version: str, code: int, message: str) -> None:
    factorio(sources)
    assert message in game("factorio", FACTORIO_VERSION=version).install(code, STELLAR_MIRRORS=sources.mirrors)


def teamspeak(sources: Sources) -> None:
    """The newest version with its checksum, and an older one."""
    top = "teamspeak3-server_linux_amd64"
    run = program("listening on 0.0.0.0:9987")
    archive = tarred({f"{top}/ts3server": run, f"{top}/redist/libmariadb.so.2": "x"}, "bz2")
    releases = "https://files.teamspeak-services.com/releases/server"
    for version in ("3.13.7", "3.12.0"):
        sources.put(f"{releases}/{version}/{top}-{version}.tar.bz2", archive)
    mirrors = {"teamspeak.com": f"{releases}/3.13.7/{top}-3.13.7.tar.bz2"}
    newest = {"version": "3.13.7", "checksum": sha256(archive), "mirrors": mirrors}
    sources.put(TEAMSPEAK, {"linux": {"x86_64": newest}})


def test_teamspeak(game: MakeGame, sources: Sources) -> None:
    teamspeak(sources)
    server = game("teamspeak", LICENSE="1")
    assert "TeamSpeak 3.13.7 is installed." in server.install(STELLAR_MIRRORS=sources.mirrors)
    assert (server.home / "libmariadb.so.2").exists()
    server.start()
    server.wait_done()
    assert b"<license_accepted=1>" in server.output
    assert b"<default_voice_port=%d>" % server.port in server.output
    assert b"libraries ." in server.output


@pytest.mark.parametrize(
    ("version", "code", "message"),
    [
        ("3.12.0", 0, "TeamSpeak 3.12.0 is installed."),
        ("9.9", 1, "There is no TeamSpeak 9.9; the latest is 3.13.7."),
    ],
)
def test_teamspeak_versions(game: MakeGame, sources: Sources, version: str, code: int, message: str) -> None:
    teamspeak(sources)
    assert message in game("teamspeak", TEAMSPEAK_VERSION=version).install(code, STELLAR_MIRRORS=sources.mirrors)


STEAM = """#!/bin/sh
echo "arguments $*"
if [ ! -e "$HOME/updated" ]; then touch "$HOME/updated"; echo 'Update complete, launching...'; exit 42; fi
case "$*" in
  *'+app_update 1'*) ;;
esac
echo 'Update state (0x61) downloading, progress: 12.34 (1 / 2)'
PUT
echo "Success! App 'APP' fully installed."
"""


def steamcmd(sources: Sources, app: int, put: str, elf: bytes = b"#!") -> None:
    """SteamCMD that puts files by the shell lines ``put``, at its second try."""
    files: dict[str, bytes | str] = {"steamcmd.sh": STEAM.replace("APP", str(app)).replace("PUT", put)}
    files |= {"linux32/steamcmd": elf, "linux32/steamclient.so": "32", "linux64/steamclient.so": "64"}
    sources.put(STEAMCMD, tarred(files))


PALWORLD = "Pal/Binaries/Linux/PalServer-Linux-Shipping"
STEAM_GAMES = {
    "valheim": (896660, "valheim_server.x86_64", "Game server connected", b"<-world>\r\nargument <world>"),
    "counter-strike-2": (730, "game/cs2.sh", "Connection to Steam servers successful", b"<-usercon>\r\nargument <-ip>"),
    "garrys-mod": (4020, "srcds_run", "gameserver Steam ID", b"<+gamemode>\r\nargument <sandbox>"),
    "team-fortress-2": (232250, "srcds_run", "gameserver Steam ID", b"<-game>\r\nargument <tf>"),
    "palworld": (2394010, PALWORLD, "Running Palworld dedicated server on", b"<Pal>"),
    "project-zomboid": (380870, "start-server.sh", "SERVER STARTED", b"<-Xmx3072m>\r\nargument <-->"),
    "satisfactory": (1690800, "Engine/Binaries/Linux/FactoryServer-Linux-Shipping", "", b"<FactoryGame>"),
}


@pytest.mark.parametrize("name", STEAM_GAMES)
def test_steam(game: MakeGame, sources: Sources, name: str) -> None:
    app, executable, done, words = STEAM_GAMES[name]
    folder = str(Path(executable).parent)
    text = shlex.quote(program(done or "up"))
    steamcmd(sources, app, f"mkdir -p {folder}; printf %s {text} > {executable}; chmod 755 {executable}")
    server = game(name, memory_mb=4096)
    printed = server.install(STELLAR_MIRRORS=sources.mirrors)
    assert f"+login anonymous +app_update {app} validate +quit" in printed
    assert "SteamCMD did not finish; trying again." in printed
    assert (server.home / ".steam" / "sdk64" / "steamclient.so").read_text() == "64"
    server.start()
    server.wait_done() if done else server.wait_output(b"up\r\n")
    assert words in server.output
    assert str(server.port).encode() in server.output


def test_steam_leaves_settings_alone(game: MakeGame, sources: Sources) -> None:
    steamcmd(sources, 4020, "mkdir -p garrysmod/cfg; echo shipped > garrysmod/cfg/server.cfg")
    server = game("garrys-mod")
    server.install(STELLAR_MIRRORS=sources.mirrors)
    (server.home / "garrysmod" / "cfg" / "server.cfg").write_text("mine")
    server.install(STELLAR_MIRRORS=sources.mirrors)
    assert (server.home / "garrysmod" / "cfg" / "server.cfg").read_text() == "mine"


def test_steam_that_fails_says_so(game: MakeGame, sources: Sources) -> None:
    steamcmd(sources, 999, "echo 'ERROR! Failed to install app (No subscription)'")
    printed = game("valheim").install(1, STELLAR_MIRRORS=sources.mirrors)
    assert printed.count("No subscription") == 2
    assert "[!] SteamCMD could not install the app 896660" in printed


def test_steam_without_what_32_bits_need(game: MakeGame, sources: Sources) -> None:
    if LOADER.exists():
        pytest.skip("optional: programs of 32 bits run here")
    steamcmd(sources, 896660, "true", b"\x7fELF\x01\x01\x01")
    assert "apt-get install lib32gcc-s1" in game("valheim").install(1, STELLAR_MIRRORS=sources.mirrors)


def test_an_archive_that_leads_out_is_refused(game: MakeGame, sources: Sources) -> None:
    sources.put(STEAMCMD, tarred({"../../outside": "x", "steamcmd.sh": "x"}))
    server = game("valheim")
    printed = server.install(1, STELLAR_MIRRORS=sources.mirrors)
    assert "can't be unpacked" in printed
    assert not Path(server.home.parent, "outside").exists()
