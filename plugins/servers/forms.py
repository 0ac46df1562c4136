"""The form for a new server: which blueprints there are, what each needs, and how its variables are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from stellar.plugins.blueprints.rule_checks import values_of
from stellar.plugins.blueprints.rules import split
from stellar.plugins.blueprints.structs import Blueprint as Document
from stellar.plugins.blueprints.structs import Variable

from .schemas import NodeFit

RUNTIMES = {"docker": "Docker container", "process": "Process on the node"}
"""What people call the built-in runtimes."""
_LONGEST = re.compile(r"(?:^|\|)(?:max:|between:\d+,)(\d+)")
_SENTENCES = {"url": "A web address.", "alpha_dash": "Letters, digits, - and _."}


class Lack(msgspec.Struct):
    """Why a node can't run a blueprint; ``command`` mends it, where one does."""

    sentence: str
    command: str = ""


class Field(msgspec.Struct):
    """One variable as a form field; ``options`` makes it a choice. ``rules_text`` is for people."""

    env: str
    label: str
    description: str
    default: str
    options: list[str]
    required: bool
    max_length: int | None
    multiline: bool
    rules_text: str


@dataclass(frozen=True)
class Choice:
    """A blueprint to choose. ``ports`` are what it gets on its node, for people."""

    name: str
    title: str
    description: str
    category: str
    icon_url: str
    memory_mb: int
    cpu_percent: int
    disk_mb: int
    ports: list[str]
    available: bool
    missing: list[Lack]
    variables: list[Field]
    runtimes: list[str]
    images: list[tuple[str, str]]


def choices(blueprints: Iterable[tuple[Document, str]], fits: list[NodeFit], *, is_admin: bool) -> list[Choice]:
    """Every blueprint, with the address of its icon; those that some node can run first, catch-alls last."""
    found = [_choice(document, icon_url, fits, is_admin=is_admin) for document, icon_url in blueprints]
    return sorted(found, key=lambda choice: (not choice.available, choice.category == "other", choice.title.lower()))


def _choice(document: Document, icon_url: str, fits: list[NodeFit], *, is_admin: bool) -> Choice:
    available = any(fit.blueprints[document.name].available for fit in fits)
    resources = document.resources
    return Choice(
        name=document.name,
        title=document.title,
        description=document.description,
        category=document.category,
        icon_url=icon_url,
        memory_mb=resources.memory_mb.recommended,
        cpu_percent=resources.cpu_percent.recommended,
        disk_mb=resources.disk_mb.recommended,
        ports=[f"{port.name} ({'tcp, udp' if port.protocol == 'both' else port.protocol})" for port in document.ports],
        available=available,
        runtimes=[name for name in RUNTIMES if getattr(document.runtimes, name) is not None],
        images=[(one.image, one.name) for one in document.runtimes.docker.images] if document.runtimes.docker else [],
        missing=[] if available else [lack for fit in fits for lack in _lacks(document, fit)],
        variables=[
            field_of(one) for one in document.variables if is_admin or (one.user_viewable and one.user_editable)
        ],
    )


def _lacks(document: Document, fit: NodeFit) -> list[Lack]:
    found = fit.blueprints[document.name]
    if not found.missing:
        return [Lack(f"{fit.node.name}: {found.problem}")]
    lacking = ", ".join(entry.command for entry in found.missing)
    packages = " ".join(dict.fromkeys(entry.package for entry in found.missing))
    return [Lack(f"{fit.node.name} lacks {lacking}. Run this there, as root:", f"apt-get install -y {packages}")]


def field_of(variable: Variable) -> Field:
    """How a variable is asked for."""
    rules = variable.rules
    found = dict(split(rules))
    options = values_of(found["in"]) if "in" in found else []
    if "boolean" in found:
        options = ["true", "false"] if variable.default in ("true", "false") else ["1", "0"]
    required = "required" in found
    if options and not required and "" not in options:
        options = ["", *options]
    is_number = bool({"integer", "numeric"} & found.keys())
    longest = None if is_number else _LONGEST.search(rules)
    return Field(
        env=variable.env,
        label=variable.label,
        description=_ended(variable.description),
        default=variable.default,
        options=options,
        required=required,
        max_length=int(longest[1]) if longest else None,
        multiline="multiline" in found,
        rules_text=_described(rules, "" if is_number else " characters"),
    )


def _ended(description: str) -> str:
    """As a sentence, since others follow it."""
    return f"{description}." if description and description[-1].isalnum() else description


def _described(rules: str, unit: str) -> str:
    """What a value has to be, in sentences."""
    found = dict(split(rules))
    low, _, high = found.get("between", f"{found.get('min', '')},{found.get('max', '')}").partition(",")
    kind = "A whole number" if "integer" in found else "A number" if "numeric" in found else ""
    bounds = (
        f"from {low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}" if high else ""
    )
    size = f"{bounds}{unit}" if bounds else ""
    sentences = [f"{' '.join(filter(None, (kind, size)))}."] if kind or size else []
    sentences += [sentence for name, sentence in _SENTENCES.items() if name in found]
    if "regex" in found:
        sentences.append(f"Has to match {found['regex']}.")
    return " ".join(one[:1].upper() + one[1:] for one in sentences)
