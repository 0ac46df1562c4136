"""A plugin's manifest, checked before any of its hooks is called."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .. import API_VERSION

NAME = re.compile(r"[a-z][a-z0-9_]{1,30}\Z")


class ManifestError(Exception):
    """Why a plugin is refused."""


@dataclass(frozen=True)
class Manifest:
    """Who a plugin is and what it needs.

    ``stellar`` is a version specifier (PEP 440) for the plugin API; ``requires`` names other plugins;
    ``hookspecs`` names a module of hooks that this plugin offers to others.
    """

    name: str
    version: str
    stellar: str = ">=1,<2"
    requires: tuple[str, ...] = ()
    description: str = ""
    hookspecs: str | None = None


def check_manifest(manifest: object) -> Manifest:
    """The manifest, or a ``ManifestError`` with the reason for which its plugin is refused."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    if not isinstance(manifest, Manifest):
        raise ManifestError("it has no manifest: put `manifest = Manifest(name=…, version=…)` in its __init__.py")
    if not NAME.match(manifest.name):
        raise ManifestError(f"its name {manifest.name!r} has to be lower-case letters, digits and underscores")
    try:
        wanted = SpecifierSet(manifest.stellar)
    except InvalidSpecifier:
        raise ManifestError(f"its manifest's stellar={manifest.stellar!r} is not a version specifier") from None
    if not wanted.contains(API_VERSION):
        raise ManifestError(f"it needs the plugin API {manifest.stellar}, this is {API_VERSION}")
    return manifest
