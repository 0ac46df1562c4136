"""The questions and refusals of games that the panel knows, by the names that eggs and blueprints give as ``features``.

What is looked for is literal text, in any case, within a line of output. One name may have several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from .spec import ConfigPatch, Prompt

EULA = Prompt(
    name="eula",
    match="",
    title="Minecraft's licence has to be accepted",
    message=(
        "The server starts only for somebody who agrees to Minecraft's End User Licence Agreement. "
        "Accepting writes that into eula.txt and starts the server again."
    ),
    accept="I agree to the EULA",
    patches=[ConfigPatch("eula.txt", "properties", {"eula": "true"})],
    restart=True,
)
JAVA_VERSION = Prompt(
    name="java_version",
    match="",
    title="Another version of Java is needed",
    message=(
        "This version of the game doesn't run on the Java that it was started with. "
        "It needs another image; where it runs in none, another version of Java under Startup and then a new install."
    ),
    accept="",
)
PID_LIMIT = Prompt(
    name="pid_limit",
    match="",
    title="The limit of processes or memory is reached",
    message=(
        "The game couldn't start another thread. Give the server more processes or memory, "
        "or remove plugins that start very many threads."
    ),
    accept="",
)
STEAM_DISK_SPACE = Prompt(
    name="steam_disk_space",
    match="",
    title="There isn't enough disk space",
    message="SteamCMD couldn't install or update the game. Delete files, or have the server given more disk space.",
    accept="",
)
GSL_TOKEN = Prompt(
    name="gsl_token",
    match="",
    title="The game server login token isn't valid",
    message="Steam doesn't accept the token. Make another, and have the server start again with it.",
    accept="",
)
HYTALE_OAUTH = Prompt(
    name="hytale_oauth",
    match="",
    title="Sign in to Hytale",
    message="The server waits until somebody has signed in to Hytale at the address that it has printed.",
    accept="",
)

_MATCHES: Sequence[tuple[Prompt, Sequence[str]]] = (
    (EULA, ("You need to agree to the EULA in order to run the server",)),
    (
        JAVA_VERSION,
        (
            "java.lang.UnsupportedClassVersionError",
            "Unsupported major.minor version",
            "has been compiled by a more recent version of the Java Runtime",
            "requires running the server with Java",
        ),
    ),
    (
        PID_LIMIT,
        (
            "pthread_create failed",
            "failed to create thread",
            "unable to create thread",
            "unable to create native thread",
            "unable to create new native thread",
        ),
    ),
    (STEAM_DISK_SPACE, ("SteamCMD needs 250MB of free disk space to update", "0x202 after update job")),
    (GSL_TOKEN, ("(GSL token expired)", "(account not found)")),
    (HYTALE_OAUTH, ("https://oauth.accounts.hytale.com/oauth2/device/verify?user_code=",)),
)
KNOWN = {prompt.name: prompt for prompt, _ in _MATCHES}
"""What each name means."""
IMAGES = frozenset({JAVA_VERSION.name})
"""Those that another of the blueprint's images answers."""
_TOKEN = re.compile(r"\+sv_setsteamaccount\s+[\"']?(?:\{\{\s*(?:env\.)?|\$\{?)(\w+)", re.ASCII)
_LINKS = {
    EULA.name: "https://aka.ms/MinecraftEULA",
    GSL_TOKEN.name: "https://steamcommunity.com/dev/managegameservers",
}
_PRINTED_LINK = re.compile(r"https://oauth\.accounts\.hytale\.com/oauth2/device/verify\?user_code=[\w-]+", re.ASCII)


def prompts_of(features: Iterable[str]) -> list[Prompt]:
    """What a node looks for in the output of a game with these features; unknown ones mean nothing."""
    wanted = set(features)
    return [
        msgspec.structs.replace(prompt, match=text)
        for prompt, texts in _MATCHES
        if prompt.name in wanted
        for text in texts
    ]


def variable_for(name: str, startup: str) -> str | None:
    """The variable whose value answers this prompt, as the start-up line uses it; None where that is none."""
    found = _TOKEN.search(startup) if name == GSL_TOKEN.name else None
    return found[1] if found else None


def link_in(name: str, line: str) -> str | None:
    """The address to open for this prompt; out of the line that was printed only one of the game's own site."""
    if name != HYTALE_OAUTH.name:
        return _LINKS.get(name)
    found = _PRINTED_LINK.search(line)
    return found[0] if found else None
