"""Further directories of the node in a container: only those below what the node's own configuration allows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from stellar.errors import Forbidden, Invalid

from ...spec import Mount

SYSTEM = ("proc", "sys", "dev", "etc", "bin", "sbin", "lib", "lib32", "lib64", "usr", "boot", "run", "var")
OWN = (PurePosixPath("/home/container"), PurePosixPath("/mnt/server"), PurePosixPath("/mnt/install"))


def bind(source: Path, target: str, *, read_only: bool) -> dict[str, Any]:
    """One directory or file of the node, as Docker wants it said; it has to exist."""
    return {
        "Type": "bind",
        "Source": str(source),
        "Target": target,
        "ReadOnly": read_only,
        "BindOptions": {"Propagation": "rprivate"},
    }


def extra(mounts: Iterable[Mount], allowed: Iterable[str], private: Path) -> list[dict[str, Any]]:
    """The declared mounts, each checked; ``private`` is the agent's own directory, which no server may see.

    ``Forbidden`` for a directory that isn't below an allowed one once all links are followed, ``Invalid`` for a
    target in the container that would hide its system or the server's own files.
    """
    roots = [Path(root).resolve() for root in allowed if Path(root).is_absolute()]
    found = []
    for mount in mounts:
        source, target = _source(mount, roots, private.resolve()), _target(mount)
        found.append(bind(source, str(target), read_only=mount.read_only))
    return found


def _source(mount: Mount, roots: list[Path], private: Path) -> Path:
    if not mount.source.startswith("/") or "\0" in mount.source:
        raise Invalid(f"The mount {mount.source!r} has to be an absolute path on the node.", code="bad_mount")
    try:
        source = Path(mount.source).resolve(strict=True)
    except (OSError, RuntimeError):
        raise Invalid(f"The mount {mount.source} doesn't exist on the node.", code="bad_mount") from None
    if not any(source == root or root in source.parents for root in roots):
        raise Forbidden(
            f"The node doesn't allow servers to mount {mount.source}; its administrator can, with `mounts` in the "
            "section [docker] of its configuration.",
            code="mount_refused",
        )
    if source == private or private in source.parents or source in private.parents:
        raise Forbidden(f"{mount.source} holds the node's own files; no server may see those.", code="mount_refused")
    return source


def _target(mount: Mount) -> PurePosixPath:
    target = PurePosixPath(mount.target)
    parts = target.parts[1:]
    if not target.is_absolute() or mount.target.startswith("//") or ".." in parts or "\0" in mount.target:
        raise Invalid(f"The mount's place {mount.target!r} has to be an absolute path without “..”.", code="bad_mount")
    if not parts or parts[0] in SYSTEM or any(target == own or target in own.parents for own in OWN):
        raise Invalid(f"Nothing can be mounted over {mount.target}; choose another place.", code="bad_mount")
    return target
