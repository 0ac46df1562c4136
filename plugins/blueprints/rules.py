"""A variable's rules, such as ``required|string|max:32``: read once, then checked against each value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stellar.errors import Invalid

from .pcre import CLOSERS
from .render import value_problem
from .rule_checks import FLAGS, WITH_ARGUMENT, Check, flag_check, is_number, size_check
from .rule_relations import COMPARISONS, RELATIONS, Relation

MAX_RULES = 16 * 1024
"""Characters."""

EXPRESSIONS = frozenset({"regex", "not_regex"})
MAX_EXPRESSIONS = 8
"""Of them in one variable's rules."""

_ALIASES = {"int": "integer", "bool": "boolean"}
_REGEX = re.compile(r"\s*(?:not_?)?regex:", re.IGNORECASE)
_AFTER_REGEX = re.compile(r"[A-Za-z]*\s*(?:\||\Z)")
_HOW_REGEX = "The rule regex has to be written regex:/…/ or regex:/…/i, with \\/ for a slash in it."


@dataclass(frozen=True)
class Rules:
    """Read by ``parse_rules``."""

    text: str
    required: bool
    multiline: bool
    checks: tuple[Check, ...]
    relations: tuple[Relation, ...]

    def problem(self, value: str, others: Mapping[str, str] | None = None) -> str | None:
        """Why ``value`` isn't allowed, as the end of a sentence (``must be a whole number``); None when it is.

        ``others`` are the values of all variables, for the rules that look at them; None leaves those out.
        """
        if (problem := value_problem(value)) is not None:
            return problem
        allowed = "\t\n\r" if self.multiline else "\t"
        if any((ord(character) < 32 and character not in allowed) or ord(character) == 127 for character in value):
            return "may not hold control characters" if self.multiline else "has to be a single line of text"
        if others is not None:
            for relation in self.relations:
                if (problem := relation(value, others)) is not None:
                    return problem
        if not value:
            return "is required" if self.required else None
        return next((problem for check in self.checks if (problem := check(value)) is not None), None)


def parse_rules(text: str) -> Rules:
    """Read ``text``; ``Invalid`` names a rule that isn't known, or its broken argument.

    An empty value passes unless ``required``. ``min``, ``max`` and the like count characters, or compare the
    number where ``integer``, ``numeric`` or ``decimal`` is among the rules.
    """
    if len(text) > MAX_RULES:
        raise Invalid(f"Rules may have at most {MAX_RULES} characters.")
    rules = [(canonical(name), argument) for name, argument in split(text)]
    if sum(name in EXPRESSIONS for name, _ in rules) > MAX_EXPRESSIONS:
        raise Invalid(f"At most {MAX_EXPRESSIONS} regular expressions are allowed.")
    names = {name for name, _ in rules}
    numeric = bool(names & {"integer", "numeric", "decimal"})
    checks = [check for name, argument in rules if (check := _check(name, argument, numeric)) is not None]
    relations = [RELATIONS[name](name, argument) for name, argument in rules if name in RELATIONS]
    required = bool(names & {"required", "filled", "accepted"})
    return Rules(text, required, "multiline" in names, tuple(checks), tuple(relations))


def canonical(name: str) -> str:
    """A rule's name as it is listed: ``alphaDash`` and ``alpha-dash`` are ``alpha_dash``."""
    key = re.sub(r"[-_\s]", "", name).lower()
    return _NAMES.get(key, name.strip())


def split(text: str) -> list[tuple[str, str]]:
    """Name and argument of each rule; a ``|`` inside ``regex:/…/`` separates nothing."""
    found = []
    while text:
        if _REGEX.match(text):
            end = _regex_end(text)
            rule, text = text[:end], text[end:].lstrip()[1:]
        else:
            rule, _, text = text.partition("|")
        name, _, argument = rule.partition(":")
        if name.strip():
            found.append((name.strip(), argument))
    return found


def _regex_end(text: str) -> int:
    """Where the rule ends: at a delimiter that only flags and the next rule follow."""
    start = text.index(":") + 1
    opener = text[start : start + 1]
    if not opener or opener.isalnum() or opener.isspace() or opener == "\\":
        raise Invalid(_HOW_REGEX)
    closer = CLOSERS.get(opener, opener)
    at = start + 1
    while at < len(text):
        if text[at] == closer and (after := _AFTER_REGEX.match(text, at + 1)):
            return at + 1 + len(after[0].rstrip("|").rstrip())
        at += 2 if text[at] == "\\" else 1
    raise Invalid(_HOW_REGEX)


def _check(name: str, argument: str, numeric: bool) -> Check | None:
    if name in FLAGS:
        return flag_check(name, argument)
    if name in WITH_ARGUMENT:
        return WITH_ARGUMENT[name](name, argument, numeric)
    if name in RELATIONS:
        return size_check(name, argument, numeric) if name in COMPARISONS and is_number(argument.strip()) else None
    known = ", ".join(sorted([*FLAGS, *WITH_ARGUMENT, *RELATIONS]))
    raise Invalid(f"The rule {name[:80]!r} is not known; the known rules are {known}.")


_NAMES = {name.replace("_", ""): name for name in (*FLAGS, *WITH_ARGUMENT, *RELATIONS)} | _ALIASES
