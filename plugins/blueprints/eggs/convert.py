"""From an egg's table to a blueprint, and what of it a blueprint can't say."""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from stellar.errors import Invalid

from ..beside import MAX_SCRIPT, PICTURES, SVG, read_icon
from ..checks import (
    MAX_COMMAND,
    MAX_DESCRIPTION,
    MAX_ITEMS,
    MAX_LABEL,
    MAX_PATTERNS,
    denied_problem,
    image_problem,
    update_url_problem,
)
from ..format import Loaded, parse_document
from ..render import INJECTED
from ..structs import Blueprint, Category
from .config import read_done, read_files, read_stop
from .placeholders import in_startup
from .reading import read_egg
from .report import Report
from .values import clean, embedded, listing, mapping, text
from .variables import read_variables

EXTENSION = "stellar"
"""Where an exported egg holds what only Stellar understands."""
RESOURCES = {"memory_mb": {"recommended": 2048}, "disk_mb": {"recommended": 10240}}
"""Eggs don't say what they need; these are what the form for a new server begins with."""

_KNOWN = frozenset(
    [
        "_comment",
        "meta",
        "exported_at",
        "name",
        "author",
        "uuid",
        "description",
        "image",
        "icon",
        "images",
        "tags",
        "features",
        "docker_images",
        "file_denylist",
        "startup",
        "startup_commands",
        "config",
        "scripts",
        "variables",
    ]
) | {EXTENSION}
_CATEGORIES = {name: name for name in get_args(Category)} | {"bots": "bot", "discord": "bot"}
"""What tags mean; the first counts."""
_DATA_URL = re.compile(r"data:(image/[a-z+.-]{1,20});base64,([A-Za-z0-9+/=\s]+)", re.IGNORECASE | re.ASCII)
_ENDINGS = {media_type: ending for ending, (media_type, _, _) in PICTURES.items()}
_ENDINGS |= {"image/svg+xml": SVG, "image/jpg": _ENDINGS["image/jpeg"]}


@dataclass(frozen=True)
class Egg:
    """An egg that has been read: the blueprint, the table it comes from (also in ``loaded.egg``) and the notes."""

    loaded: Loaded
    table: dict[str, Any]
    report: Report


def load_egg(data: bytes, *, name: str | None = None) -> Egg:
    """Read an egg, for a blueprint called ``name`` if given; ``Invalid`` gives the reason where it can't be one."""
    return convert(read_egg(data), name=name)


def convert(table: dict[str, Any], *, name: str | None = None) -> Egg:
    """``load_egg`` for what has been read."""
    report = Report()
    document, icon = _document(table, report)
    extension = table.get(EXTENSION)
    if isinstance(extension, dict):
        document |= {key: value for key, value in extension.items() if key in Blueprint.__struct_fields__}
    if name is not None:
        document["name"] = name
    given = document.get("icon", "")

    def beside(wanted: str) -> bytes | None:
        return icon if icon and wanted == given else None

    loaded = parse_document(document, beside, defaults=False)
    uuid = clean(table.get("uuid"), "uuid", report, most=36)
    return Egg(Loaded(loaded.blueprint, loaded.source, loaded.icon, json.dumps(table), uuid), table, report)


def _document(table: dict[str, Any], report: Report) -> tuple[dict[str, Any], bytes]:
    for key in table.keys() - _KNOWN:
        if table[key] not in (None, "", [], {}, False):
            report.add(key, "has no meaning here")
    for key in mapping(table.get("meta")).keys() - {"version", "update_url"}:
        report.add(f"meta.{key}", "has no meaning here")
    config = mapping(embedded(table.get("config"), "config", report))
    for key in config.keys() - {"files", "startup", "logs", "stop"}:
        report.add(f"config.{key}", "has no meaning here")
    if embedded(config.get("logs"), "config.logs", report) not in (None, "", [], {}):
        report.add("config.logs", "is not used: the console is what the server prints")
    variables, names = read_variables(table.get("variables"), report)
    title = clean(table.get("name"), "name", report, most=64).strip()
    icon_name, icon = _icon(table, report)
    document = {
        "format": 1,
        "name": slug(text(table.get("name"))),
        "title": title or "Egg",
        "description": clean(table.get("description"), "description", report, most=MAX_DESCRIPTION, multiline=True),
        "category": _category(table.get("tags"), report),
        "icon": icon_name,
        "author": clean(table.get("author"), "author", report, most=MAX_LABEL),
        "update_url": _update_url(table, report),
        "runtimes": {"docker": {"images": _images(table, report)}},
        "features": _features(table.get("features"), report),
        "denylist": _denylist(table.get("file_denylist"), report),
        "resources": RESOURCES,
        "startup": {**_startup(table, names, report), "done": read_done(config.get("startup"), report)},
        "stop": read_stop(config.get("stop"), report),
        "config": read_files(config.get("files"), names, report),
        "install": _install(table.get("scripts"), names, report),
        "variables": variables,
    }
    return document, icon


def slug(title: str) -> str:
    """A blueprint's name from a title: ``Vanilla Minecraft`` becomes ``vanilla-minecraft``."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-") or "egg"


def _category(tags: Any, report: Report) -> str:
    names = [text(tag) for tag in listing(tags)]
    found = next((tag for tag in names if tag in _CATEGORIES), None)
    for tag in names:
        if tag not in (found, ""):
            report.add("tags", f"{tag[:80]!r} has no meaning here")
    return _CATEGORIES[found] if found else "other"


def _icon(table: dict[str, Any], report: Report) -> tuple[str, bytes]:
    """The picture in the egg, as the name of a file and its bytes; a stock icon without one that can be used."""
    for key in ("image", "icon"):
        given = text(table.get(key)).strip()
        if not given.lower().startswith(("data:", "http:", "https:")):
            continue
        found = _DATA_URL.fullmatch(given)
        ending = _ENDINGS.get(found[1].lower()) if found else None
        if found is None or ending is None:
            report.add(key, "was left out: an icon has to be an SVG, PNG, JPEG, WebP or GIF in the egg itself")
            continue
        try:
            data = base64.b64decode(found[2])
        except (binascii.Error, ValueError):
            report.add(key, "was left out: it is not Base64")
            continue
        problems: dict[str, str] = {}
        read_icon(f"icon{ending}", lambda name, data=data: data, problems)  # type: ignore[misc]
        if not problems:
            return f"icon{ending}", data
        report.add(key, f"was left out: the icon {problems['icon']}")
    return "cube", b""


def _images(table: dict[str, Any], report: Report) -> list[dict[str, str]]:
    """``docker_images`` of newer eggs, ``images`` or ``image`` of older ones; the first is the default."""
    given = table.get("docker_images") or table.get("images")
    if not given and not text(table.get("image")).lower().startswith(("data:", "http:", "https:")):
        given = table.get("image")
    named = given if isinstance(given, dict) else {text(image): image for image in listing(given)}
    images: list[dict[str, str]] = []
    for label, value in named.items():
        image = text(value).strip().removeprefix("~")
        path = f"docker_images.{label}"
        if (problem := image_problem(image)) is not None:
            report.add(path, f"was left out: {image[:80]!r} {problem}")
        elif len(images) == MAX_ITEMS:
            report.add(path, f"was left out: there are more than {MAX_ITEMS}")
        else:
            name = clean(label, path, report, most=MAX_LABEL).strip()
            images.append({"name": name or image, "image": image})
    if not images and EXTENSION not in table:
        reasons = "; ".join(note.problem for note in report.notes if note.path.startswith("docker_images"))
        raise Invalid(
            f"The egg names no container image that can be used{': ' + reasons if reasons else ''}.",
            code="blueprint_invalid",
        )
    return images


def _features(given: Any, report: Report) -> list[str]:
    features: list[str] = []
    for value in listing(embedded(given, "features", report) if text(given).lstrip().startswith("[") else given):
        feature = re.sub(r"[^A-Za-z0-9_.:-]", "_", text(value).strip())[:64]
        if feature != text(value).strip():
            report.add("features", f"{text(value)[:80]!r} is called {feature!r} here")
        if len(features) == MAX_ITEMS:
            report.add("features", f"has more than {MAX_ITEMS}")
        elif feature and feature not in features:
            features.append(feature.lstrip(".:-") or "_")
    return features


def _denylist(given: Any, report: Report) -> list[str]:
    if isinstance(given, str):
        given = embedded(given, "file_denylist", report) if given.lstrip().startswith(("[", "{")) else given.split("\n")
    patterns: list[str] = []
    for value in listing(given):
        pattern = text(value).strip()
        if not pattern:
            continue
        if (problem := denied_problem(pattern)) is not None or len(patterns) == MAX_PATTERNS:
            problem = problem or f"is one of more than {MAX_PATTERNS}"
            report.add("file_denylist", f"{pattern[:80]!r} was left out: it {problem}")
            continue
        patterns.append(pattern)
    return patterns


def _update_url(table: dict[str, Any], report: Report) -> str | None:
    url = text(mapping(table.get("meta")).get("update_url")).strip()
    if not url or url.lower() == "null":
        return None
    if (problem := update_url_problem(url)) is not None:
        report.add("meta.update_url", f"was left out: it {problem}")
        return None
    return url


def _startup(table: dict[str, Any], names: Mapping[str, str], report: Report) -> dict[str, Any]:
    """The first command and the others to choose from; bash runs them, as it does where eggs come from."""
    given = table.get("startup_commands") or table.get("startup")
    commands = given if isinstance(given, dict) else {}
    if not isinstance(given, dict):
        commands = {f"Command {at}" if at > 1 else "Default": one for at, one in enumerate(listing(given), 1)}
    read = []
    for label, value in commands.items():
        path = f"startup_commands.{label}"
        line = clean(value, path, report, multiline=True).strip()
        line = _exported(in_startup(line, names, path, report), names)
        if line and len(line) <= MAX_COMMAND:
            read.append((clean(label, path, report, most=64).strip() or "Command", line))
        else:
            report.add(path, f"was left out: it {f'has more than {MAX_COMMAND} characters' if line else 'is empty'}")
    if not read:
        raise Invalid("The egg has no start-up command that can be used.", code="blueprint_invalid")
    if read[0][0] != "Default":
        report.add(f"startup_commands.{read[0][0]}", "is the usual command here, without a name")
    if len(read) > MAX_ITEMS:
        report.add("startup_commands", f"has more than {MAX_ITEMS} commands")
    choices = dict(read[1:MAX_ITEMS])
    if len(choices) < len(read[1:MAX_ITEMS]):
        report.add("startup_commands", "has commands of the same name: the last one counts")
    return {
        "shell": "bash",
        "command": read[0][1],
        "choices": [{"name": name, "command": line} for name, line in choices.items()],
    }


def _exported(line: str, names: Mapping[str, str]) -> str:
    """Variables of another name here that a program looks for itself get their own for the command alone."""
    heeded = {
        old: new
        for old, new in names.items()
        if old != new and re.fullmatch(r"TZ|TIMEZONE|LANG|LC_[A-Z]+|LD_[A-Z_]+|DYLD_[A-Z_]+", old) and new not in line
    }
    return "".join(f'export {old}="${{{new}}}"; ' for old, new in heeded.items()) + line


def _install(given: Any, names: Mapping[str, str], report: Report) -> dict[str, Any]:
    scripts = mapping(embedded(given, "scripts", report))
    for key in scripts.keys() - {"installation"}:
        report.add(f"scripts.{key}", "has no meaning here")
    about = mapping(embedded(scripts.get("installation"), "scripts.installation", report))
    for key in about.keys() - {"script", "container", "entrypoint"}:
        report.add(f"scripts.installation.{key}", "has no meaning here")
    script = text(about.get("script")).replace("\r\n", "\n").replace("\0", "")
    script = _with_old_names(script, names)
    if len(script.encode()) > MAX_SCRIPT:
        raise Invalid(f"The egg's install script has more than {MAX_SCRIPT // 1024} KiB.", code="blueprint_invalid")
    install: dict[str, Any] = {"script": script, "shell": _shell(about.get("entrypoint"), report)}
    image = text(about.get("container")).strip().removeprefix("~")
    if image and (problem := image_problem(image)) is not None:
        report.add("scripts.installation.container", f"was left out: {image[:80]!r} {problem}")
    elif image:
        install["image"] = image
    return install


def _shell(given: Any, report: Report) -> str:
    words = text(given).split()
    if not words:
        return "/bin/sh"
    shell = words[0]
    if len(words) > 1:
        report.add("scripts.installation.entrypoint", f"has options, which are left out: {text(given)[:80]!r}")
    if not re.fullmatch(r"/?[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,63}", shell) or ".." in shell:
        report.add("scripts.installation.entrypoint", f"was left out: {shell[:80]!r} is no shell")
        return "/bin/sh"
    return shell


def _with_old_names(script: str, names: Mapping[str, str]) -> str:
    """The script knows variables by the egg's names: those that are called otherwise here get theirs for it alone."""
    renamed = [
        f'export {old}="${{{new}}}"'
        for old, new in names.items()
        if old != new
        and old not in INJECTED
        and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", old)
        and re.search(rf"\$\{{?{old}(?![A-Za-z0-9_])", script)
    ]
    if not renamed:
        return script
    first, line_feed, rest = script.partition("\n")
    lines = "\n".join(renamed)
    return f"{first}\n{lines}\n{rest}" if first.startswith("#!") else f"{lines}\n{first}{line_feed}{rest}"
