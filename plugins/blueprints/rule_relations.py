"""The rules that look at other variables as well: ``same:OTHER``, ``required_if:OTHER,value``, ``gt:OTHER`` …"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stellar.errors import Invalid

from . import rule_dates
from .rule_checks import is_number, size_check, values_of

Relation = Callable[[str, Mapping[str, str]], str | None]
"""What is wrong with a value, empty or not, among all values; None when nothing is."""


def _same(name: str, argument: str) -> Relation:
    other = _named(name, argument)

    def relation(value: str, others: Mapping[str, str]) -> str | None:
        if (value == others.get(other, "")) is (name == "same"):
            return None
        return f"has to be {'the same as' if name == 'same' else 'other than'} {other}"

    return relation


def _compared(name: str, argument: str) -> Relation:
    """``gt:OTHER``: numbers where both are, else how many characters there are. ``gt:5`` needs no other value."""
    other = argument.strip()
    if not other:
        raise Invalid(f"The rule {name} needs a number, or the name of a variable.")

    def relation(value: str, others: Mapping[str, str]) -> str | None:
        bound = others.get(other, "")
        if not value or not bound:
            return None
        both = is_number(value) and is_number(bound)
        return size_check(name, bound if both else str(len(bound)), both)(value)

    return relation


def _conditional(name: str, argument: str) -> Relation:
    other, *wanted = [text.strip() for text in values_of(argument)] or [""]
    _named(name, other)
    if not wanted:
        raise Invalid(f"The rule {name} needs a variable and its values, as in {name}:OTHER,1.")
    required, when = name.startswith("required"), name.endswith("_if")

    def relation(value: str, others: Mapping[str, str]) -> str | None:
        if (others.get(other, "") in wanted) is not when or bool(value) is required:
            return None
        words = "is required" if required else "has to be empty"
        return f"{words} {'when' if when else 'unless'} {other} is {' or '.join(wanted)}"

    return relation


def _accompanied(name: str, argument: str) -> Relation:
    """``required_with`` and its like."""
    names = [text.strip() for text in values_of(argument) if text.strip()]
    if not names:
        raise Invalid(f"The rule {name} needs the name of a variable.")
    combine = all if name.endswith("_all") else any
    given = "without" not in name

    def relation(value: str, others: Mapping[str, str]) -> str | None:
        if value or not combine(bool(others.get(other, "")) is given for other in names):
            return None
        return f"is required when {', '.join(names)} {'has a value' if given else 'has none'}"

    return relation


def _named(name: str, argument: str) -> str:
    if not argument.strip():
        raise Invalid(f"The rule {name} needs the name of a variable.")
    return argument.strip()


COMPARISONS = ("gt", "gte", "lt", "lte")
RELATIONS: dict[str, Callable[[str, str], Relation]] = {
    **dict.fromkeys(("same", "different"), _same),
    **dict.fromkeys(COMPARISONS, _compared),
    **dict.fromkeys(rule_dates.DATES, rule_dates.compared),
    **dict.fromkeys(("required_if", "required_unless", "prohibited_if", "prohibited_unless"), _conditional),
    **dict.fromkeys(("required_with", "required_with_all", "required_without", "required_without_all"), _accompanied),
}
