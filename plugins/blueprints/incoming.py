"""The files of an import, told apart by what they hold: a ``blueprint.toml``, a ZIP file of a folder, an egg."""

from __future__ import annotations

from stellar import panel
from stellar.errors import Invalid
from stellar.http.outbound import fetch

from .archive import MAX_ARCHIVE, unpack
from .eggs.reading import is_egg
from .format import FILE_NAME
from .settings import BlueprintsSettings

EGG = "egg"
"""What an egg is called among the files of an import."""


def told_apart(data: bytes, name: str = "") -> dict[str, bytes]:
    """One document as the files of a blueprint, by its look, and by the ending of ``name`` where it has one.

    ``Invalid`` for nothing at all, and for a web page, which is what the addresses of many files show.
    """
    start = data[:100].decode("utf-8", "replace").lstrip("\ufeff \t\r\n").lower()
    if not start:
        raise Invalid("There is nothing to import: it is empty.", code="blueprint_invalid")
    if start.startswith(("<!doctype html", "<html")):
        message = "This is a web page; give the address of the file itself, on GitHub that of its button Raw."
        raise Invalid(message, code="blueprint_invalid")
    if data.startswith(b"PK\x03\x04") or name.lower().endswith(".zip"):
        return unpack(data)
    return {EGG if is_egg(data, name) else FILE_NAME: data}


async def fetched(url: str) -> dict[str, bytes]:
    """``told_apart`` for what is at an address; ``Invalid`` for one that isn't allowed, ``Unavailable`` without it."""
    settings = panel.current().config.section(BlueprintsSettings)
    found = await fetch(url, limit=MAX_ARCHIVE, private=settings.private_addresses)
    return told_apart(found.data, found.url.partition("?")[0])
