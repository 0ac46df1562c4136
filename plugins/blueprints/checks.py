"""What the types of a blueprint can't say: each check adds what it finds, by the key's full name."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import ParamSpec

from stellar.errors import Invalid

from .images import valid_image
from .patterns import compile_done
from .render import (
    INJECTED,
    MAX_NAME,
    check_bash,
    check_placeholders,
    port_variable,
    render_startup,
    reserved,
    valid_name,
    value_problem,
)
from .rules import parse_rules
from .stops import stop_problem
from .structs import (
    Amount,
    Blueprint,
    ConfigPatch,
    Install,
    Port,
    Resources,
    Runtimes,
    Scalar,
    Shell,
    Startup,
    Stop,
    Variable,
)

MAX_ITEMS = 64
MAX_VARIABLES = 512
MAX_VALUES = 512
"""Of one config file."""
MAX_PATTERNS = 256
"""Of the denylist."""
MAX_COMMAND = 16 * 1024
MAX_DESCRIPTION = 8000
MAX_LABEL = 255
MAX_PATH = 255
MAX_START_SECONDS = 24 * 60 * 60
MAX_URL = 2000
MAX_STOP = 1024

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?", re.ASCII)
_COMMAND = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}", re.ASCII)
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,99}", re.ASCII)
_PORT = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_SHELL = re.compile(r"/?[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,63}", re.ASCII)
_FEATURE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}", re.ASCII)

P = ParamSpec("P")
Problems = dict[str, str]


def check(blueprint: Blueprint, *, defaults: bool = True) -> Problems:
    """Everything that is wrong with ``blueprint``, the files beside it aside.

    Without ``defaults``, a variable's default may break its rules: whoever makes a server has to choose a value then.
    """
    problems: Problems = {}
    if not _SLUG.fullmatch(blueprint.name):
        problems["name"] = "needs 1 to 48 of the characters a-z, 0-9 and -, not at the ends"
    _text(problems, "title", blueprint.title, 64)
    _text(problems, "description", blueprint.description, MAX_DESCRIPTION, multiline=True, empty=True)
    _few(problems, blueprint)
    _check_runtimes(problems, blueprint.runtimes)
    names = known_names(blueprint)
    _check_startup(problems, blueprint.startup, names)
    _check_ready(problems, blueprint.startup, blueprint.ports)
    _check_stop(problems, blueprint.stop)
    _check_install(problems, blueprint.install)
    _check_variables(problems, blueprint.variables, defaults=defaults)
    for at, patch in enumerate(blueprint.config):
        _check_patch(problems, f"config[{at}]", patch, names)
    _check_ports(problems, blueprint.ports)
    _check_resources(problems, blueprint.resources)
    _check_rest(problems, blueprint)
    return problems


def known_names(blueprint: Blueprint) -> set[str]:
    """What ``{{…}}`` may name: the variables, and what every server is given. An optional port may be absent."""
    ports = {port_variable(port.name) for port in blueprint.ports[1:] if not port.optional}
    return {*INJECTED, *ports, *(variable.env for variable in blueprint.variables)}


def path_problem(path: str) -> str | None:
    """Why ``path`` can't be that of a file below a server's directory; None when it can."""
    if not path or len(path.encode("utf-8", "replace")) > MAX_PATH:
        return f"needs 1 to {MAX_PATH} bytes"
    if path.startswith(("/", "~")) or "\\" in path or has_controls(path):
        return "has to be a path below the server's directory, with / between its parts"
    if any(part in {"", ".", ".."} for part in path.split("/")):
        return "may not have empty parts, . or .. in it"
    return None


def image_problem(image: str) -> str | None:
    """Why ``image`` can't be the name of a container image; None when it can."""
    return None if valid_image(image) else "has to be an image's name, such as debian:12-slim"


def denied_problem(pattern: str) -> str | None:
    """Why ``pattern`` can't be one of a denylist; None when it can."""
    if not pattern.strip() or len(pattern) > MAX_PATH or has_controls(pattern):
        return f"needs 1 to {MAX_PATH} characters"
    return "may not have .. in it" if ".." in pattern.split("/") else None


def update_url_problem(url: str) -> str | None:
    """Why nothing can be fetched from ``url``; None when it may be tried."""
    if re.fullmatch(r"https?://[^\s/?#]+[^\s]*", url) and len(url) <= MAX_URL and not has_controls(url):
        return None
    return "has to be an address that begins with http:// or https://"


def _check_runtimes(problems: Problems, runtimes: Runtimes) -> None:
    if runtimes.process is None and runtimes.docker is None:
        problems["runtimes"] = "needs at least one of process, docker"
    for at, need in enumerate(runtimes.process.requires if runtimes.process else ()):
        key = f"runtimes.process.requires[{at}]"
        if not _COMMAND.fullmatch(need.command):
            problems[f"{key}.command"] = "has to be the plain name of a command, without a path"
        if not _PACKAGE.fullmatch(need.package):
            problems[f"{key}.package"] = "has to be the name of a Debian package"
    if runtimes.docker is None:
        return
    if not runtimes.docker.images:
        problems["runtimes.docker.images"] = "needs at least one image"
    for at, image in enumerate(runtimes.docker.images):
        key = f"runtimes.docker.images[{at}]"
        _text(problems, f"{key}.name", image.name, MAX_LABEL)
        if (problem := image_problem(image.image)) is not None:
            problems[f"{key}.image"] = problem


def _check_startup(problems: Problems, startup: Startup, names: set[str]) -> None:
    _check_command(problems, "startup.command", startup.command, startup.shell, names)
    for at, pattern in enumerate(startup.done):
        _try(problems, f"startup.done[{at}]", compile_done, [pattern])
    _try(problems, "startup.done", compile_done, ["x"] * len(startup.done))
    _unique(problems, "startup.choices[{}].name", [choice.name for choice in startup.choices])
    for at, choice in enumerate(startup.choices):
        _text(problems, f"startup.choices[{at}].name", choice.name, 64)
        _check_command(problems, f"startup.choices[{at}].command", choice.command, startup.shell, names)
    _within(problems, "startup.timeout_seconds", startup.timeout_seconds, 0, MAX_START_SECONDS)


def _check_ready(problems: Problems, startup: Startup, ports: Sequence[Port]) -> None:
    known = {port.name: port.protocol for port in ports}
    for at, wanted in enumerate(startup.ready):
        if wanted.port not in known:
            problems[f"startup.ready[{at}].port"] = f"has to be the name of a port: {', '.join(known)}"
        elif known[wanted.port] not in ("both", wanted.protocol):
            problems[f"startup.ready[{at}].protocol"] = f"has to be {known[wanted.port]}, as that port is"


def _check_command(problems: Problems, key: str, command: str, shell: Shell, names: set[str]) -> None:
    _text(problems, key, command, MAX_COMMAND, multiline=True)
    _try(problems, key, render_startup if shell == "sh" else check_bash, command, names)


def _check_stop(problems: Problems, stop: Stop) -> None:
    if (stop.command is None) == (stop.signal is None):
        problems["stop"] = "needs either command or signal"
    if stop.command is not None:
        _text(problems, "stop.command", stop.command, MAX_STOP)
        if (problem := stop_problem(stop.command)) is not None:
            problems["stop.command"] = problem
    _within(problems, "stop.grace_seconds", stop.grace_seconds, 1, 3600)


def _check_install(problems: Problems, install: Install) -> None:
    if install.image is not None and (problem := image_problem(install.image)) is not None:
        problems["install.image"] = problem
    if not _SHELL.fullmatch(install.shell) or ".." in install.shell.split("/"):
        problems["install.shell"] = "has to be the name or path of a shell, such as bash or /bin/sh"


def _check_rest(problems: Problems, blueprint: Blueprint) -> None:
    _text(problems, "author", blueprint.author, MAX_LABEL, empty=True)
    if blueprint.players is not None and blueprint.players.port:
        names = [port.name for port in blueprint.ports]
        if blueprint.players.port not in names:
            problems["players.port"] = f"has to be one of {', '.join(names) or 'the ports'}"
    for at, feature in enumerate(blueprint.features):
        if not _FEATURE.fullmatch(feature):
            problems[f"features[{at}]"] = "needs 1 to 64 letters, digits and . : _ -"
    for at, pattern in enumerate(blueprint.denylist):
        if (problem := denied_problem(pattern)) is not None:
            problems[f"denylist[{at}]"] = problem
    if blueprint.update_url is not None and (problem := update_url_problem(blueprint.update_url)) is not None:
        problems["update_url"] = problem


def _check_variables(problems: Problems, variables: Sequence[Variable], *, defaults: bool) -> None:
    _unique(problems, "variables[{}].env", [variable.env for variable in variables])
    for at, variable in enumerate(variables):
        key = f"variables[{at}]"
        if not valid_name(variable.env):
            problems[f"{key}.env"] = f"needs 1 to {MAX_NAME} letters, digits and _, and no digit first"
        elif reserved(variable.env):
            problems[f"{key}.env"] = f"can't be {variable.env}: the panel or the system sets it"
        _text(problems, f"{key}.label", variable.label, MAX_LABEL)
        _text(problems, f"{key}.description", variable.description, MAX_DESCRIPTION, multiline=True, empty=True)
        _try(problems, f"{key}.rules", parse_rules, variable.rules)
        if f"{key}.rules" in problems or not variable.default:
            continue
        problem = parse_rules(variable.rules).problem(variable.default) if defaults else value_problem(variable.default)
        if problem is not None:
            problems[f"{key}.default"] = problem


def _check_patch(problems: Problems, key: str, patch: ConfigPatch, names: set[str]) -> None:
    if (problem := path_problem(patch.file)) is not None:
        problems[f"{key}.file"] = problem
    if not patch.values or len(patch.values) > MAX_VALUES:
        problems[f"{key}.values"] = f"needs 1 to {MAX_VALUES} entries"
    for name, value in patch.values.items():
        inner = f"{key}.values.{name}"
        if not is_key(patch.parser, name):
            problems[inner] = "needs a name without control characters"
        if not isinstance(value, dict):
            _check_value(problems, inner, value, names)
            continue
        for old, new in value.items():
            _check_value(problems, f"{inner}.{old}", new, names)


def is_key(parser: str, name: str) -> bool:
    """Whether a value can be set by this name; only the parser ``file`` takes none, which is how every line begins."""
    return (bool(name) or parser == "file") and not has_controls(name.replace("\t", ""))


def _check_value(problems: Problems, key: str, value: Scalar, names: set[str]) -> None:
    if isinstance(value, str):
        _text(problems, key, value, MAX_COMMAND, multiline=True, empty=True)
        _try(problems, key, check_placeholders, value, names)
    elif not math.isfinite(value) or abs(value) >= 2**63:
        problems[key] = "has to be a number of 64 bits"


def _check_ports(problems: Problems, ports: Sequence[Port]) -> None:
    _unique(problems, "ports[{}].name", [port_variable(port.name) for port in ports])
    for at, port in enumerate(ports):
        if not _PORT.fullmatch(port.name):
            problems[f"ports[{at}].name"] = "needs 1 to 32 of the characters a-z, 0-9, - and _, a letter first"
    if ports and ports[0].optional:
        problems["ports[0].optional"] = "has to be false: the first port is the main one"
    if ports and ports[0].follows:
        problems["ports[0].follows"] = "has to be false: there is no port before it"
    for at, port in enumerate(ports):
        if port.follows and port.optional:
            problems[f"ports[{at}].optional"] = "has to be false: a game takes such a port in any case"


def _check_resources(problems: Problems, resources: Resources) -> None:
    amounts: dict[str, tuple[Amount, int]] = {
        "memory_mb": (resources.memory_mb, 16 * 1024 * 1024),
        "cpu_percent": (resources.cpu_percent, 100_000),
        "disk_mb": (resources.disk_mb, 1024 * 1024 * 1024),
    }
    for key, (amount, most) in amounts.items():
        _within(problems, f"resources.{key}.minimum", amount.minimum, 0, most)
        _within(problems, f"resources.{key}.recommended", amount.recommended, 0, most)
        if 0 < amount.recommended < amount.minimum:
            problems[f"resources.{key}.recommended"] = "can't be less than the minimum"


def _few(problems: Problems, blueprint: Blueprint) -> None:
    for key, count, most in (
        ("variables", len(blueprint.variables), MAX_VARIABLES),
        ("denylist", len(blueprint.denylist), MAX_PATTERNS),
    ):
        if count > most:
            problems[key] = f"may have at most {most} entries"
    lists: dict[str, Sequence[object]] = {
        "config": blueprint.config,
        "startup.ready": blueprint.startup.ready,
        "ports": blueprint.ports,
        "features": blueprint.features,
        "startup.choices": blueprint.startup.choices,
        "runtimes.process.requires": blueprint.runtimes.process.requires if blueprint.runtimes.process else (),
        "runtimes.docker.images": blueprint.runtimes.docker.images if blueprint.runtimes.docker else (),
    }
    for key, items in lists.items():
        if len(items) > MAX_ITEMS:
            problems[key] = f"may have at most {MAX_ITEMS} entries"


def _text(problems: Problems, key: str, text: str, most: int, *, multiline: bool = False, empty: bool = False) -> None:
    if len(text) > most or not (empty or text.strip()):
        problems[key] = f"needs {0 if empty else 1} to {most} characters"
    elif has_controls(text.replace("\n", "").replace("\t", "") if multiline else text):
        problems[key] = "may not hold control characters"


def has_controls(text: str) -> bool:
    """Whether there are control characters in it, line feeds and tabs among them, or halves of a character."""
    return any(0xD800 <= ord(character) < 0xE000 for character in text) or any(
        ord(character) < 32 or 127 <= ord(character) < 160 for character in text
    )


def _within(problems: Problems, key: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        problems[key] = f"has to be between {least} and {most}"


def _unique(problems: Problems, key: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for at, name in enumerate(names):
        if name in seen:
            problems[key.format(at)] = "is there twice"
        seen.add(name)


def _try(problems: Problems, key: str, action: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    try:
        action(*args, **kwargs)
    except Invalid as error:
        problems.setdefault(key, f"is wrong: {error.message.rstrip('.')}")
