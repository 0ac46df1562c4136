"""An egg's variables: names, rules and defaults."""

from __future__ import annotations

import re
from typing import Any

from stellar.errors import Invalid

from ..checks import MAX_DESCRIPTION, MAX_LABEL, MAX_VARIABLES
from ..render import INJECTED, MAX_NAME, MAX_VALUE, reserved, valid_name
from ..rule_checks import values_of
from ..rules import EXPRESSIONS, MAX_EXPRESSIONS, canonical, parse_rules, split
from .report import Report
from .values import clean, embedded, listing, text, truth

TAKEN = frozenset(
    [
        "P_SERVER_UUID",
        "P_SERVER_LOCATION",
        "P_SERVER_ALLOCATION_LIMIT",
        "SERVER_MEMORY",
        "SERVER_IP",
        "SERVER_PORT",
        "SERVER_UUID",
        "UUID",
        "STARTUP",
        "MODIFIED_STARTUP",
        "INTERNAL_IP",
        "ENV",
        "HOME",
        "USER",
        "HOSTNAME",
        "TERM",
        "LANG",
        "PWD",
        "TZ",
        "TIMEZONE",
    ]
)
"""Names that Pelican gives to no variable either: it puts ``SERVER_`` before them."""

_KNOWN = frozenset(
    [
        "name",
        "description",
        "env_variable",
        "default_value",
        "user_viewable",
        "user_editable",
        "rules",
        "field_type",
        "sort",
        "id",
        "egg_id",
        "created_at",
        "updated_at",
    ]
)


def read_variables(given: Any, report: Report) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The variables of a blueprint, and what each of the egg's is called there."""
    found: dict[str, dict[str, Any]] = {}
    for at, entry in enumerate(listing(embedded(given, "variables", report))):
        if not isinstance(entry, dict):
            report.add(f"variables[{at}]", "was left out: it is not a table")
            continue
        name = text(entry.get("env_variable")).strip()
        if not name:
            report.add(f"variables[{at}]", "was left out: it has no env_variable")
            continue
        if name in found:
            report.add(f"variables.{name}", "is there twice: the last one counts")
        found[name] = entry
    names = _names(found, report)
    kept = [name for name in _in_order(found) if name in names]
    variables = [_variable(name, names[name], found[name], report) for name in kept]
    # Other panels pass variables on in capitals, so this is what commands and scripts may call them.
    capitals = {name.upper(): env for name, env in names.items() if name.upper() not in INJECTED}
    return variables, capitals | names


def _in_order(found: dict[str, dict[str, Any]]) -> list[str]:
    """As their ``sort`` says, where each has one."""
    orders = {name: entry.get("sort") for name, entry in found.items()}
    if all(isinstance(order, int) for order in orders.values()):
        return sorted(found, key=lambda name: int(text(orders[name]) or 0))
    return list(found)


def _names(found: dict[str, dict[str, Any]], report: Report) -> dict[str, str]:
    names: dict[str, str] = {}
    for name in found:
        path = f"variables.{name}"
        if len(names) == MAX_VARIABLES:
            report.add(path, f"was left out: there are more than {MAX_VARIABLES}")
            continue
        wanted = re.sub(r"[^A-Za-z0-9_]", "_", name)[: MAX_NAME - 16]
        wanted = wanted if valid_name(wanted) else f"_{wanted}"
        if wanted.upper() in TAKEN or reserved(wanted):
            wanted = f"SERVER_{wanted}"
        if reserved(wanted):
            wanted = f"EGG_{wanted}"
        others = (set(found) | set(names.values())) - {name}
        free = next(
            tried
            for number in range(1, 1000)
            if (tried := f"{wanted}_{number}" if number > 1 else wanted) not in others
        )
        if free != name:
            report.add(path, f"is called {free} here: that name is the system's or not one of an environment variable")
        names[name] = free
    return names


def _variable(name: str, env: str, entry: dict[str, Any], report: Report) -> dict[str, Any]:
    path = f"variables.{name}"
    for key in entry.keys() - _KNOWN:
        report.add(f"{path}.{key}", "has no meaning here")
    if (kind := entry.get("field_type")) not in (None, "", "text"):
        report.add(f"{path}.field_type", f"is {text(kind)[:40]!r}: every variable is a text here")
    rules = read_rules(entry.get("rules"), f"{path}.rules", report)
    default = _default(entry.get("default_value"), rules, f"{path}.default_value", report)
    if "\n" in default:
        rules = "|".join(filter(None, (rules, "multiline")))
    problem = parse_rules(rules).problem(default) if default else None
    if problem is not None:
        report.add(f"{path}.default_value", f"{problem}: another value has to be chosen for each server")
    label = clean(entry.get("name"), f"{path}.name", report, most=MAX_LABEL).strip()
    return {
        "env": env,
        "label": label or env,
        "description": clean(
            entry.get("description"), f"{path}.description", report, most=MAX_DESCRIPTION, multiline=True
        ),
        "default": default,
        "rules": rules,
        "user_viewable": truth(entry.get("user_viewable")),
        "user_editable": truth(entry.get("user_editable")),
    }


def read_rules(given: Any, path: str, report: Report) -> str:
    """Rules as a blueprint has them, without those that aren't known or are broken."""
    kept = []
    expressions = 0
    for name, argument in _rules(given, path, report):
        expressions += canonical(name) in EXPRESSIONS
        if expressions > MAX_EXPRESSIONS:
            report.add(path, f"have more than {MAX_EXPRESSIONS} regular expressions: the rest was left out")
            break
        rule = canonical(name) + (f":{argument}" if argument else "")
        try:
            parse_rules(rule)
            if split(rule) != [(canonical(name), argument)]:
                raise Invalid("It has a | in it.")
        except Invalid as error:
            report.add(path, f"{name[:80]} was left out: {error.message}")
            continue
        kept.append(rule)
    joined = "|".join(kept)
    try:
        parse_rules(joined)
    except Invalid as error:
        report.add(path, f"were left out: {error.message}")
        return ""
    return joined


def _rules(given: Any, path: str, report: Report) -> list[tuple[str, str]]:
    if isinstance(given, str):
        try:
            return split(given)
        except Invalid as error:
            report.add(path, error.message)
            # A regular expression whose end can't be told: the rest goes by the bar, as everywhere else.
            given = [rule for rule in given.split("|") if "regex:" not in rule.lower()]
    pairs = [pair for rule in listing(given) for pair in _listed(text(rule))]
    return [(name.strip(), argument) for name, argument in pairs if name.strip()]


def _listed(rule: str) -> list[tuple[str, str]]:
    """An entry of a list is one rule, whatever it holds, unless several are written with bars as in a text."""
    name, _, argument = rule.partition(":")
    if "|" not in name:
        return [(name, argument)]
    try:
        return split(rule)
    except Invalid:
        return [(name, argument)]


def _default(given: Any, rules: str, path: str, report: Report) -> str:
    if isinstance(given, bool):
        return _boolean(given, rules)
    if isinstance(given, (dict, list)):
        report.add(path, "is a table or list: it became JSON")
    value = clean(given, path, report, multiline=True)
    if len(value.encode()) > MAX_VALUE:
        report.add(path, f"was left out: it has more than {MAX_VALUE} bytes")
        return ""
    return value


def _boolean(value: bool, rules: str) -> str:
    """``true``, ``True`` or ``1``: whichever the rules allow."""
    allowed = dict(split(rules)).get("in")
    choices = ("true", "True", "1") if value else ("false", "False", "0")
    if allowed is None:
        return choices[2] if "boolean" in rules.split("|") else choices[0]
    return next((choice for choice in choices if choice in values_of(allowed)), choices[0])
