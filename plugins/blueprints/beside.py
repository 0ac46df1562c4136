"""The files that lie beside a blueprint: its icon and its install script."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from stellar.errors import Invalid

from .installing import runnable
from .structs import Install

MAX_SCRIPT = 64 * 1024
"""Bytes; a shell takes no argument larger than 128 KiB."""
MAX_ICON = 128 * 1024
"""Bytes."""

Beside = Callable[[str], bytes | None]
"""Answers a file's bytes by its plain name, None where there is no such file."""

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", re.ASCII)
_ICONS = Path(__file__).with_name("icons")
PICTURES = {
    ".png": ("image/png", "PNG", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ".jpg": ("image/jpeg", "JPEG", re.compile(rb"\xff\xd8\xff")),
    ".webp": ("image/webp", "WebP", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
    ".gif": ("image/gif", "GIF", re.compile(rb"GIF8[79]a")),
}
"""Media type, name and first bytes of the pictures that an icon may be, besides an SVG."""
SVG = ".svg"
_SVG_SPACE = "{http://www.w3.org/2000/svg}"
_SVG_TAGS = frozenset(
    {"svg", "g", "path", "circle", "ellipse", "rect", "line", "polyline", "polygon", "title", "desc", "use"}
    | {"defs", "symbol", "linearGradient", "radialGradient", "stop", "clipPath", "mask"}
)


@dataclass(frozen=True)
class Icon:
    """A checked picture: an SVG that holds nothing but drawing, or one of ``PICTURES``."""

    media_type: str
    data: bytes


def directory(path: Path) -> Beside:
    """Reads regular files of one directory, and follows no link out of it."""

    def read(name: str) -> bytes | None:
        if not _FILE_NAME.fullmatch(name):
            return None
        try:
            handle = os.open(path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                return file.read(MAX_ICON + 1)
        except OSError:
            return None

    return read


def nothing(name: str) -> bytes | None:
    """For a blueprint that comes alone."""
    return None


def icon_names() -> list[str]:
    """The panel's own icons, which a blueprint may name."""
    return sorted(path.stem for path in _ICONS.glob("*.svg"))


def read_script(install: Install, beside: Beside, problems: dict[str, str]) -> str:
    """The install script, wherever it is; what is wrong with it goes to ``problems``."""
    if install.file is None:
        script, key = install.script, "install.script"
    elif install.script:
        problems["install.file"] = "can't be given together with install.script; keep one of them"
        return ""
    else:
        key = "install.file"
        data = _file(install.file, beside, key, problems)
        try:
            script = data.decode()
        except UnicodeDecodeError:
            problems[key] = "has to be UTF-8 text"
            return ""
    if len(script.encode("utf-8", "replace")) > MAX_SCRIPT:
        problems[key] = f"may have at most {MAX_SCRIPT // 1024} KiB"
    elif "\0" in script:
        problems[key] = "may not hold a NUL character"
    script = script.replace("\r\n", "\n")
    if key not in problems:
        _check_packing(script, key, problems)
    return script


def _check_packing(script: str, key: str, problems: dict[str, str]) -> None:
    try:
        runnable(script)
    except Invalid as error:
        problems[key] = f"is wrong: {error.message.rstrip('.')}"


def read_icon(name: str, beside: Beside, problems: dict[str, str]) -> Icon:
    """The icon's picture; what is wrong with it goes to ``problems``."""
    if "." not in name and name in icon_names():
        return Icon("image/svg+xml", (_ICONS / f"{name}.svg").read_bytes())
    nowhere = Icon("image/png", b"")
    ending = Path(name).suffix
    if ending != SVG and ending not in PICTURES:
        endings, choices = ", ".join((SVG, *PICTURES)), ", ".join(icon_names())
        problems["icon"] = f"has to be an {endings} file beside the blueprint, or one of {choices}"
        return nowhere
    data = _file(name, beside, "icon", problems)
    if "icon" in problems:
        return nowhere
    if len(data) > MAX_ICON:
        problems["icon"] = f"may have at most {MAX_ICON // 1024} KiB"
    elif ending in PICTURES:
        media_type, kind, beginning = PICTURES[ending]
        if not beginning.match(data):
            problems["icon"] = f"is not a {kind} picture"
        return Icon(media_type, data)
    elif (problem := _svg_problem(data)) is not None:
        problems["icon"] = problem
    return Icon("image/svg+xml", data)


def _file(name: str, beside: Beside, key: str, problems: dict[str, str]) -> bytes:
    if not _FILE_NAME.fullmatch(name):
        problems[key] = "has to be the plain name of a file beside the blueprint, without a path"
        return b""
    data = beside(name)
    if data is None:
        problems[key] = f"names the file {name!r}, which is not beside the blueprint"
        return b""
    return data


def _svg_problem(data: bytes) -> str | None:
    if b"<!DOCTYPE" in data.upper() or b"<!ENTITY" in data.upper():
        return "is an SVG with a document type; remove it"
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 without a document type there are no entities to expand
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        return f"is not a valid SVG: {error}"
    if root.tag != f"{_SVG_SPACE}svg":
        return "is not an SVG: its outermost element has to be svg in the SVG namespace"
    for element in root.iter():
        tag = element.tag.removeprefix(_SVG_SPACE) if isinstance(element.tag, str) else "?"
        if tag not in _SVG_TAGS:
            return f"may hold only shapes and gradients, not <{tag.rpartition('}')[2]}>"
        for attribute, value in element.attrib.items():
            if _active(attribute.rpartition("}")[2].lower(), value.lower()):
                return f"may not use {attribute.rpartition('}')[2]} to run or load something"
    return None


def _active(attribute: str, value: str) -> bool:
    if attribute.startswith("on") or (attribute == "href" and not value.startswith("#")):
        return True
    return re.search(r"url\s*\(\s*['\"]?\s*(?!#)", value) is not None or "@import" in value or "\\" in value
