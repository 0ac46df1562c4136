"""Each rule that looks at one value: the names that Laravel gives them, and what they allow."""

from __future__ import annotations

import csv
import ipaddress
import json
import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stellar.errors import Invalid

from .rule_dates import date_format, is_date

if TYPE_CHECKING:
    from .expressions import Expression

MAX_MATCHED = 4096
"""Characters of a value that a regular expression may be tried on."""

Check = Callable[[str], str | None]
"""What is wrong with a value that isn't empty, None when nothing is."""
Maker = Callable[[str, str, bool], Check]
"""From a rule's name, its argument, and whether the variable is a number."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})", re.ASCII)
_BOOLEANS = ("true", "false", "1", "0")
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@[^\s@.<>()\[\],;:\\\"]+(?:\.[^\s@.<>()\[\],;:\\\"]+)*")


def matches(pattern: str, problem: str, flags: int = 0) -> Check:
    """A check of the whole value, by a pattern of our own."""
    compiled = re.compile(pattern, flags)
    return lambda value: None if compiled.fullmatch(value) else problem


def is_number(text: str) -> bool:
    """Whether it is a number as ``numeric`` takes it."""
    return _NUMBER.fullmatch(text) is not None


def values_of(argument: str) -> list[str]:
    """The values in ``a,b,"c,d"``."""
    return next(csv.reader([argument.replace("\n", " ").replace("\r", " ")], strict=False), [])


def _whole(value: str) -> str | None:
    return None if _INTEGER.fullmatch(value) else "must be a whole number"


def _number(value: str) -> str | None:
    return None if is_number(value) else "must be a number"


def _boolean(value: str) -> str | None:
    return None if value in _BOOLEANS else f"must be one of {', '.join(_BOOLEANS)}"


def _url(value: str) -> str | None:
    problem = "must be an address that begins with http:// or https://"
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return problem
    return None if usable and not re.search(r"\s", value) else problem


def _address(version: int | None) -> Check:
    problem = f"must be an IP{'' if version is None else f'v{version}'} address"

    def check(value: str) -> str | None:
        try:
            found = ipaddress.ip_address(value)
        except ValueError:
            return problem
        return None if version in (None, found.version) and "%" not in value else problem

    return check


def _parsed(problem: str, parse: Callable[[str], object]) -> Check:
    """A check by something that raises ``ValueError``."""

    def check(value: str) -> str | None:
        try:
            parse(value)
        except (ValueError, RecursionError):
            return problem
        return None

    return check


def _timezone(value: str) -> str | None:
    from zoneinfo import available_timezones

    return None if value in available_timezones() else "must be a time zone, such as Europe/Berlin"


def _prohibited(value: str) -> str | None:
    return "has to be empty"


FLAGS: dict[str, Check | None] = {
    **dict.fromkeys(("required", "nullable", "string", "multiline", "sometimes", "bail", "present", "filled")),
    "integer": _whole,
    "numeric": _number,
    "boolean": _boolean,
    "alpha": matches(r"[^\W\d_]+", "may hold only letters"),
    "alpha_dash": matches(r"[\w-]+", "may hold only letters, digits, - and _"),
    "alpha_num": matches(r"[^\W_]+", "may hold only letters and digits"),
    "ascii": matches(r"[\x00-\x7f]*", "may hold only ASCII characters"),
    "url": _url,
    "active_url": _url,
    "email": lambda value: None if _EMAIL.fullmatch(value) else "must be an e-mail address",
    "ip": _address(None),
    "ipv4": _address(4),
    "ipv6": _address(6),
    "mac_address": matches(r"[0-9A-Fa-f]{2}([:-]?)[0-9A-Fa-f]{2}(?:\1[0-9A-Fa-f]{2}){4}", "must be a MAC address"),
    "uuid": _parsed("must be a UUID", lambda value: uuid.UUID(value) if len(value) == 36 else int("no")),
    "ulid": matches(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", "must be a ULID", re.IGNORECASE),
    "json": _parsed("must be JSON", json.loads),
    "date": is_date,
    "timezone": _timezone,
    "lowercase": lambda value: None if value == value.lower() else "may hold no capital letters",
    "uppercase": lambda value: None if value == value.upper() else "may hold no small letters",
    "hex_color": matches(r"#(?:[0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})", "must be a colour, such as #ff8800"),
    "accepted": lambda value: None if value in ("yes", "on", "1", "true") else "must be yes, on, 1 or true",
    "declined": lambda value: None if value in ("no", "off", "0", "false") else "must be no, off, 0 or false",
    "prohibited": _prohibited,
}
_NARROWER = {
    "alpha": matches(r"[A-Za-z]+", "may hold only the letters A to Z"),
    "alpha_dash": matches(r"[A-Za-z0-9_-]+", "may hold only the letters A to Z, digits, - and _"),
    "alpha_num": matches(r"[A-Za-z0-9]+", "may hold only the letters A to Z and digits"),
}
_OPTIONS = {
    **{name: {"ascii"} for name in _NARROWER},
    **{name: {"strict"} for name in ("integer", "numeric", "boolean")},
    "email": {"rfc", "strict", "dns", "spoof", "filter", "filter_unicode"},
    "url": {"http", "https"},
    "uuid": set("1345678") | {"2", "max"},
    "timezone": {"all"},
}
"""The arguments that a rule may have although it needs none."""


def flag_check(name: str, argument: str) -> Check | None:
    """The check of a rule that needs no argument; ``Invalid`` for one that it doesn't take."""
    given = {option.strip().lower() for option in argument.split(",")} - {""}
    if given - _OPTIONS.get(name, set()):
        raise Invalid(f"The rule {name} takes no argument {argument[:80]!r}.")
    return _NARROWER[name] if given and name in _NARROWER else FLAGS[name]


_BOUNDS: dict[str, tuple[str, Callable[[float, float, float], bool]]] = {
    "min": ("at least", lambda size, low, high: size >= low),
    "max": ("at most", lambda size, low, high: size <= high),
    "between": ("between", lambda size, low, high: low <= size <= high),
    "size": ("exactly", lambda size, low, high: size == low),
    "gt": ("more than", lambda size, low, high: size > low),
    "gte": ("at least", lambda size, low, high: size >= low),
    "lt": ("less than", lambda size, low, high: size < high),
    "lte": ("at most", lambda size, low, high: size <= high),
}


def size_check(name: str, argument: str, numeric: bool) -> Check:
    """``min`` and its like: the number itself, or how many characters there are."""
    bounds = [bound.strip() for bound in argument.split(",")]
    if len(bounds) != (2 if name == "between" else 1) or not all(map(is_number, bounds)):
        raise Invalid(f"The rule {name} needs {'two numbers, as in between:1,5' if name == 'between' else 'a number'}.")
    low, high = float(bounds[0]), float(bounds[-1])
    if low > high:
        raise Invalid(f"The rule {name}:{argument} can never hold: the first number is the larger one.")
    words, fits = _BOUNDS[name]
    wanted = f"{words} {' and '.join(bounds)}"

    def check(value: str) -> str | None:
        if numeric and not is_number(value):
            return "must be a number"
        if fits(float(value) if numeric else len(value), low, high):
            return None
        return f"must be {wanted}" if numeric else f"must have {wanted} characters"

    return check


def _digits(name: str, argument: str, numeric: bool) -> Check:
    bounds = [bound.strip() for bound in argument.split(",")]
    if len(bounds) != (2 if name == "digits_between" else 1) or not all(bound.isdecimal() for bound in bounds):
        raise Invalid(f"The rule {name} needs {'two numbers' if name == 'digits_between' else 'a number'} of digits.")
    low = 0 if name == "max_digits" else int(bounds[0][:9])
    high = 10**9 if name == "min_digits" else int(bounds[-1][:9])
    words = {"digits": "", "min_digits": "at least ", "max_digits": "at most ", "digits_between": "between "}[name]

    def check(value: str) -> str | None:
        fits = value.isascii() and value.isdecimal() and low <= len(value) <= high
        return None if fits else f"must have {words}{' and '.join(bounds)} digits"

    return check


def _decimal(name: str, argument: str, numeric: bool) -> Check:
    bounds = [bound.strip() for bound in argument.split(",")]
    if len(bounds) > 2 or not all(bound.isdecimal() for bound in bounds):
        raise Invalid("The rule decimal needs one or two numbers of decimal places.")
    low, high = int(bounds[0][:9]), int(bounds[-1][:9])

    def check(value: str) -> str | None:
        places = len(value.partition(".")[2])
        return None if is_number(value) and low <= places <= high else f"must have {'-'.join(bounds)} decimal places"

    return check


def _multiple(name: str, argument: str, numeric: bool) -> Check:
    if not is_number(argument.strip()) or float(argument) == 0:
        raise Invalid("The rule multiple_of needs a number other than 0.")
    step = float(argument)

    def check(value: str) -> str | None:
        fits = is_number(value) and abs(float(value) / step - round(float(value) / step)) < 1e-9
        return None if fits else f"must be a multiple of {argument.strip()}"

    return check


def _one_of(name: str, argument: str, numeric: bool) -> Check:
    choices = values_of(argument)
    if not argument:
        raise Invalid(f"The rule {name} needs its values, as in in:easy,hard.")
    listed = ", ".join(choices)
    if name == "in":
        return lambda value: None if value in choices else f"must be one of {listed}"
    return lambda value: f"can't be one of {listed}" if value in choices else None


def _affix(name: str, argument: str, numeric: bool) -> Check:
    texts = tuple(text for text in values_of(argument) if text)
    if not texts:
        raise Invalid(f"The rule {name} needs a text.")
    listed = " or ".join(texts)
    at_start = name.endswith("start_with") or name == "starts_with"
    where = "start" if at_start else "end"

    def check(value: str) -> str | None:
        found = value.startswith(texts) if at_start else value.endswith(texts)
        if name.startswith("doesnt"):
            return f"can't {where} with {listed}" if found else None
        return None if found else f"must {where} with {listed}"

    return check


def _regex(name: str, argument: str, numeric: bool) -> Check:
    from .pcre import compile_pcre

    expression = compile_pcre(argument.strip())
    wanted = name == "regex"

    def check(value: str) -> str | None:
        return _matched(expression, value, wanted=wanted)

    return check


def _matched(expression: Expression, value: str, *, wanted: bool) -> str | None:
    if len(value) > MAX_MATCHED:
        return f"may have at most {MAX_MATCHED} characters"
    try:
        found = expression.search(value)
    except TimeoutError:
        return "takes too long to check; try a shorter value"
    if found is wanted:
        return None
    return f"must match /{expression.pattern}/" if wanted else f"can't match /{expression.pattern}/"


WITH_ARGUMENT: dict[str, Maker] = {
    **dict.fromkeys(("min", "max", "between", "size"), size_check),
    **dict.fromkeys(("digits", "digits_between", "min_digits", "max_digits"), _digits),
    "decimal": _decimal,
    "multiple_of": _multiple,
    "in": _one_of,
    "not_in": _one_of,
    **dict.fromkeys(("starts_with", "ends_with", "doesnt_start_with", "doesnt_end_with"), _affix),
    "regex": _regex,
    "not_regex": _regex,
    "date_format": date_format,
}
