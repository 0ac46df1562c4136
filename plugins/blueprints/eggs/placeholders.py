"""What an egg's placeholders become: each is one of a few names, or nothing. None of them leads to a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..render import INJECTED
from .report import Report

ANY = re.compile(r"\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}")

_ENVIRONMENTS = ("server.build.environment.", "server.build.env.", "server.environment.", "server.env.", "env.")
_SPELLINGS = {
    "SERVER_PORT": ("server.build.default.port", "server.allocations.default.port"),
    "SERVER_IP": ("server.build.default.ip", "server.allocations.default.ip"),
    "SERVER_MEMORY": ("server.build.memory", "server.build.memory_limit", "server.memory"),
    "SERVER_DISK": ("server.build.disk", "server.build.disk_space", "server.disk"),
    "SERVER_CPU": ("server.build.cpu", "server.build.cpu_limit", "server.cpu"),
    "P_SERVER_UUID": ("server.uuid", "server.uuid_short", "server.uuidShort", "server.id"),
    "STELLAR_NODE_IP": ("config.docker.interface", "config.docker.network.interface"),
}
"""What eggs call the variables that the panel sets; we write the first."""
_FIXED = {spelling: name for name, spellings in _SPELLINGS.items() for spelling in spellings}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def resolved(key: str, names: Mapping[str, str]) -> str | None:
    """The variable that a placeholder means, by what it is called here; None for one that isn't known.

    ``names`` maps the egg's variables to ours.
    """
    if key in _FIXED:
        return _FIXED[key]
    for prefix in _ENVIRONMENTS:
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            return name if name in INJECTED else names.get(name)
    return names.get(key, key if key in INJECTED else None)


def spelled(name: str) -> str:
    """A variable of ours as config files of eggs name it."""
    return _SPELLINGS[name][0] if name in _SPELLINGS else f"server.build.env.{name}"


def in_startup(line: str, names: Mapping[str, str], path: str, report: Report) -> str:
    """A start-up line with our names. One that nothing sets is left to the shell, where it is empty."""

    def replaced(found: re.Match[str]) -> str:
        key = found[1]
        if (name := resolved(key, names)) is not None:
            return f"{{{{{name}}}}}"
        report.add(path, f"has {{{{{key}}}}}, which no variable sets: it is empty unless the image sets it")
        return f"${{{key}}}" if _IDENTIFIER.fullmatch(key) else ""

    line = ANY.sub(replaced, line)
    renamed = {old: new for old, new in names.items() if old != new and _IDENTIFIER.fullmatch(old)}
    if not renamed:
        return line
    olds = "|".join(map(re.escape, sorted(renamed, key=len, reverse=True)))
    return re.sub(rf"(\$\{{?)({olds})(?![A-Za-z0-9_])", lambda found: found[1] + renamed[found[2]], line)


def in_config(value: str, names: Mapping[str, str], path: str, report: Report) -> str | None:
    """A value for a config file with our names; None when it asks for something that isn't given away.

    What an egg asks of the server or its environment and doesn't exist is empty, as it is in other panels.
    """
    refused: list[str] = []

    def replaced(found: re.Match[str]) -> str:
        key = found[1]
        if (name := resolved(key, names)) is not None:
            return f"{{{{{name}}}}}"
        if key.startswith(("server.", "env.")):
            report.add(path, f"has {{{{{key}}}}}, which no variable sets: it is empty")
            return ""
        refused.append(key)
        return found[0]

    text = ANY.sub(replaced, value)
    if refused:
        report.add(path, f"was left out: {{{{{refused[0]}}}}} is not known here")
        return None
    if "{{" in ANY.sub("", text):
        report.add(path, "was left out: it has {{ without a name")
        return None
    return text
