"""What servers may see of this host's own files: its programs, and the settings that those need."""

from __future__ import annotations

from pathlib import Path

SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
ETC = (
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "default/locale",
    "fonts",
    "gai.conf",
    "host.conf",
    "hostname",
    "hosts",
    "inputrc",
    "java",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "magic",
    "mime.types",
    "networks",
    "nsswitch.conf",
    "npmrc",
    "openal",
    "os-release",
    "pip.conf",
    "pki",
    "profile",
    "protocols",
    "python3",
    "resolv.conf",
    "rpc",
    "services",
    "shells",
    "ssl",
    "terminfo",
    "timezone",
    "vulkan",
)
ETC_PREFIXES = ("java-", "python3.", "php", "lua", "mono", "dotnet")


def etc() -> list[str]:
    """Names in /etc to show: the system's usual, runtimes' settings, and those of the games that are installed."""
    games = [path.name for folder in ("/usr/games", "/usr/local/games") for path in _list(folder)]
    names = [path.name for path in _list("/etc")]
    extra = [name for name in names if name.startswith(ETC_PREFIXES)]
    extra += [name for name in names if len(name) > 2 and any(game.startswith(name) for game in games)]
    return sorted({*ETC, *extra})


def _list(folder: str) -> list[Path]:
    try:
        return list(Path(folder).iterdir())
    except OSError:
        return []
