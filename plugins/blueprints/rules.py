"""A variable's rules, such as ``required|string|max:32``: read once, then checked against each value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stellar.errors import Invalid

from .render import value_problem

if TYPE_CHECKING:
    from .expressions import Expression

MAX_RULES = 1024
"""Characters."""
MAX_MATCHED = 4096
"""Characters of a value that a regular expression may be tried on."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})", re.ASCII)
_ALPHA_DASH = re.compile(r"[\w-]+")
_BOOLEANS = ("true", "false", "1", "0")

Check = Callable[[str], str | None]
"""What is wrong with a value that isn't empty, None when nothing is."""


@dataclass(frozen=True)
class Rules:
    """Read by ``parse_rules``."""

    text: str
    required: bool
    multiline: bool
    checks: tuple[Check, ...]

    def problem(self, value: str) -> str | None:
        """Why ``value`` isn't allowed, as the end of a sentence (``must be a whole number``); None when it is."""
        if (problem := value_problem(value)) is not None:
            return problem
        allowed = "\t\n\r" if self.multiline else "\t"
        if any((ord(character) < 32 and character not in allowed) or ord(character) == 127 for character in value):
            return "may not hold control characters" if self.multiline else "has to be a single line of text"
        if not value:
            return "is required" if self.required else None
        return next((problem for check in self.checks if (problem := check(value)) is not None), None)


def parse_rules(text: str) -> Rules:
    """Read ``text``; ``Invalid`` names a rule that isn't known, or its broken argument.

    An empty value passes unless ``required``. ``min``, ``max`` and ``between`` count characters, or compare the
    number where ``integer`` or ``numeric`` is among the rules.
    """
    if len(text) > MAX_RULES:
        raise Invalid(f"Rules may have at most {MAX_RULES} characters.")
    rules = list(split(text))
    names = {name for name, _ in rules}
    numeric = bool(names & {"integer", "numeric"})
    checks = [check for name, argument in rules if (check := _check(name, argument, numeric)) is not None]
    return Rules(text, "required" in names, "multiline" in names, tuple(checks))


def split(text: str) -> list[tuple[str, str]]:
    """Name and argument of each rule; a ``|`` inside ``regex:/…/`` separates nothing."""
    found = []
    while text:
        if text.startswith("regex:"):
            end = _regex_end(text)
            rule, rest = text[:end], text[end:]
            if rest and not rest.startswith("|"):
                raise Invalid("The rule regex has to be written regex:/…/ or regex:/…/i.")
            text = rest[1:]
        else:
            rule, _, text = text.partition("|")
        name, _, argument = rule.partition(":")
        if name:
            found.append((name.strip(), argument))
    return found


def _regex_end(text: str) -> int:
    found = re.match(r"regex:/(?:[^/\\]|\\.)*/i?", text)
    if not found:
        raise Invalid("The rule regex has to be written regex:/…/ or regex:/…/i, with \\/ for a slash in it.")
    return found.end()


def _check(name: str, argument: str, numeric: bool) -> Check | None:
    if name in _FLAGS:
        if argument:
            raise Invalid(f"The rule {name} takes no argument.")
        return _FLAGS[name]
    if name in _SIZES:
        return _size(name, argument, numeric)
    if name == "in":
        return _one_of(argument)
    if name == "regex":
        return _regex(argument)
    known = ", ".join(sorted([*_FLAGS, *_SIZES, "in", "regex"]))
    raise Invalid(f"The rule {name!r} is not known; the known rules are {known}.")


def _whole(value: str) -> str | None:
    return None if _INTEGER.fullmatch(value) else "must be a whole number"


def _number(value: str) -> str | None:
    return None if _NUMBER.fullmatch(value) else "must be a number"


def _boolean(value: str) -> str | None:
    return None if value in _BOOLEANS else f"must be one of {', '.join(_BOOLEANS)}"


def _alpha_dash(value: str) -> str | None:
    return None if _ALPHA_DASH.fullmatch(value) else "may hold only letters, digits, - and _"


def _url(value: str) -> str | None:
    problem = "must be an address that begins with http:// or https://"
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return problem
    return None if usable and not re.search(r"\s", value) else problem


_FLAGS: dict[str, Check | None] = {
    "required": None,
    "nullable": None,
    "string": None,
    "multiline": None,
    "integer": _whole,
    "numeric": _number,
    "boolean": _boolean,
    "alpha_dash": _alpha_dash,
    "url": _url,
}
_SIZES = ("min", "max", "between")


def _size(name: str, argument: str, numeric: bool) -> Check:
    bounds = argument.split(",")
    if len(bounds) != (2 if name == "between" else 1) or not all(_NUMBER.fullmatch(bound) for bound in bounds):
        raise Invalid(f"The rule {name} needs {'two numbers, as in between:1,5' if name == 'between' else 'a number'}.")
    low = None if name == "max" else float(bounds[0])
    high = None if name == "min" else float(bounds[-1])
    if low is not None and high is not None and low > high:
        raise Invalid(f"The rule {name}:{argument} can never hold: the first number is the larger one.")
    wanted = {"min": "at least", "max": "at most", "between": "between"}[name] + " " + " and ".join(bounds)

    def check(value: str) -> str | None:
        if numeric and not _NUMBER.fullmatch(value):
            return "must be a number"
        size = float(value) if numeric else len(value)
        if (low is None or size >= low) and (high is None or size <= high):
            return None
        return f"must be {wanted}" if numeric else f"must have {wanted} characters"

    return check


def _one_of(argument: str) -> Check:
    choices = argument.split(",")
    if not argument:
        raise Invalid("The rule in needs its values, as in in:easy,hard.")

    def check(value: str) -> str | None:
        return None if value in choices else f"must be one of {', '.join(choices)}"

    return check


def _regex(argument: str) -> Check:
    from .expressions import Expression

    pattern, _, flag = argument[1:].rpartition("/")
    expression = Expression(pattern.replace("\\/", "/"), ignore_case=flag == "i")

    def check(value: str) -> str | None:
        return _matched(expression, value)

    return check


def _matched(expression: Expression, value: str) -> str | None:
    if len(value) > MAX_MATCHED:
        return f"may have at most {MAX_MATCHED} characters"
    try:
        matches = expression.search(value)
    except TimeoutError:
        return "takes too long to check; try a shorter value"
    return None if matches else f"must match /{expression.pattern}/"
