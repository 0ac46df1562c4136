"""From variables and limits to a server's environment and command line; pure, runs on nodes too."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from stellar.errors import Invalid

from .shell import shell_references

PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
MAX_NAME = 191
"""Characters of a variable's name."""
MAX_VALUE = 16 * 1024
"""Bytes of one value; the kernel's own limit for one is 128 KiB."""

INJECTED = (
    "SERVER_MEMORY",
    "SERVER_CPU",
    "SERVER_DISK",
    "SERVER_IP",
    "SERVER_PORT",
    "P_SERVER_UUID",
    "P_SERVER_LOCATION",
    "P_SERVER_ALLOCATION_LIMIT",
    "STELLAR_NODE_IP",
)
"""What every server gets; extra ports come as ``SERVER_PORT_<NAME>`` besides."""
NUMERIC = frozenset({"SERVER_MEMORY", "SERVER_CPU", "SERVER_DISK", "SERVER_PORT"})

_RESERVED_PREFIXES = ("SERVER_PORT", "P_SERVER_", "STELLAR_", "LD_", "DYLD_", "BASH_", "GCONV_", "GLIBC_")
_RESERVED = frozenset(
    {
        *INJECTED,
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "TERM", "TMPDIR", "HOSTNAME"),
        *("ENV", "IFS", "PS1", "PS2", "PS4", "OPTIND", "PPID", "SHELLOPTS", "BASHOPTS", "CDPATH", "FPATH", "_"),
        *("LOCPATH", "NLSPATH"),
    }
)
_NAME = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{MAX_NAME - 1}}}", re.ASCII)
_BASH = 'exec "$(command -v bash || command -v sh)" -c '
"""An image without bash may still understand the line."""


class PortLike(Protocol):
    """A port of a server's allocation."""

    @property
    def ip(self) -> str:
        """The address to listen on."""

    @property
    def port(self) -> int:
        """The number."""

    @property
    def name(self) -> str:
        """What the blueprint calls it."""


class LimitsLike(Protocol):
    """A server's limits; 0 is none."""

    @property
    def memory_mb(self) -> int:
        """MiB."""

    @property
    def cpu_percent(self) -> int:
        """100 is one core."""

    @property
    def disk_mb(self) -> int:
        """MiB."""


def reserved(name: str) -> bool:
    """Whether a variable may not have this name: the panel sets it, or a shell or loader heeds it."""
    return name in _RESERVED or name.startswith(_RESERVED_PREFIXES)


def valid_name(name: str) -> bool:
    """Whether it is an identifier of at most ``MAX_NAME`` characters."""
    return _NAME.fullmatch(name) is not None


def port_variable(name: str) -> str:
    """The variable that holds an extra port's number: ``query`` becomes ``SERVER_PORT_QUERY``."""
    return "SERVER_PORT_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def environment(
    variables: Mapping[str, str],
    ports: Sequence[PortLike],
    limits: LimitsLike,
    server_id: str = "",
    node_ip: str = "127.0.0.1",
    *,
    location: str = "",
    allocation_limit: int = 0,
) -> dict[str, str]:
    """A server's own environment variables: its blueprint's, and what the panel injects.

    A name with small letters is there in capitals too, which is all that other panels make of it.

    ``SERVER_MEMORY`` is in MiB, ``SERVER_CPU`` in percent of a core, ``SERVER_DISK`` in MiB, 0 where unlimited.
    The first of ``ports`` is the main one; ``node_ip`` is where it reaches the other servers of its node, ``location``
    where that is, and ``allocation_limit`` how many ports it may have.
    ``Invalid`` for a name that may not be set or a value that can't be.
    """
    values = dict(variables)
    for name, value in values.items():
        if not valid_name(name) or reserved(name):
            raise Invalid(f"A variable can't be called {name!r}; choose another name.", fields={name: "is reserved"})
        if (problem := value_problem(value)) is not None:
            raise Invalid(f"The variable {name} {problem}.", fields={name: problem})
    capitals = {name.upper(): value for name, value in variables.items()}
    values = {name: value for name, value in capitals.items() if not reserved(name)} | values
    values |= {
        "SERVER_MEMORY": str(limits.memory_mb),
        "SERVER_CPU": str(limits.cpu_percent),
        "SERVER_DISK": str(limits.disk_mb),
        "SERVER_IP": ports[0].ip if ports else "0.0.0.0",  # noqa: S104 the absence of an address
        "SERVER_PORT": str(ports[0].port) if ports else "0",
        "P_SERVER_UUID": server_id,
        "P_SERVER_LOCATION": location,
        "P_SERVER_ALLOCATION_LIMIT": str(allocation_limit),
        "STELLAR_NODE_IP": node_ip,
    }
    return values | {port_variable(port.name): str(port.port) for port in ports[1:]}


def value_problem(value: str) -> str | None:
    """Why no variable can have this value, None when it can."""
    if "\0" in value:
        return "may not hold a NUL character"
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode"
    return f"may have at most {MAX_VALUE} bytes" if size > MAX_VALUE else None


def placeholders(template: str) -> set[str]:
    """The names that a template refers to; ``Invalid`` for a ``{{`` that begins none."""
    found = {match[1] for match in PLACEHOLDER.finditer(template)}
    rest = PLACEHOLDER.sub("", template)
    if (at := rest.find("{{")) >= 0:
        raise Invalid(f"{rest[at : at + 40]!r} is not a placeholder; write {{{{NAME}}}}.")
    return found


def check_placeholders(template: str, names: Collection[str]) -> None:
    """``Invalid`` for a placeholder that is broken or not among ``names``."""
    for name in sorted(placeholders(template) - set(names)):
        raise Invalid(f"{{{{{name}}}}} is not known; the known names are {', '.join(sorted(names))}.")


def render_startup(template: str, values: Collection[str]) -> str:
    """A shell line in which every ``{{NAME}}`` is a reference to the environment variable ``NAME``.

    The shell never sees a value as code: it is put in by parameter expansion and reaches the program as it is,
    whether the placeholder stands unquoted, in double or in single quotes. ``values`` are the known names (an
    ``environment`` will do). ``Invalid`` for an unknown name, or where a reference can't be made safe.
    """
    check_placeholders(template, values)
    return shell_references(template, PLACEHOLDER, NUMERIC)


def startup_line(template: str, shell: str, values: Collection[str]) -> str:
    """What ``/bin/sh`` runs for a start-up command of a blueprint whose ``startup.shell`` is ``shell``."""
    return bash_line(template) if shell == "bash" else render_startup(template, values)


def egg_line(template: str) -> str:
    """A bash line as images for eggs expect it in ``STARTUP``: they put it together and run it themselves."""
    return PLACEHOLDER.sub(r"${\1}", template)


def check_bash(template: str, names: Collection[str]) -> None:
    """``Invalid`` for a placeholder of a bash line that isn't among ``names``; braces around other things are text."""
    for found in PLACEHOLDER.finditer(template):
        check_placeholders(found[0], names)


def bash_line(template: str) -> str:
    """A shell line that runs ``template`` in bash, each ``{{NAME}}`` in it as ``${NAME}``.

    As in the panels that eggs are written for, a value is split into words where it isn't quoted, and the line may do
    with it what it likes, ``eval`` included. The line itself never holds a value.
    """
    return _BASH + shlex.quote(egg_line(template))
