"""Rules of variables."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stellar.errors import Invalid
from stellar.plugins.blueprints.rules import MAX_EXPRESSIONS, parse_rules


@pytest.mark.parametrize(
    ("rules", "good", "bad"),
    [
        ("", ["", "x", "ä\t"], ["a\nb", "a\0b", "\x1b[m", "\x7f", "\ud800"]),
        ("required|string", ["x", " "], [""]),
        ("nullable|string", ["", "x"], []),
        ("multiline", ["a\nb\r\n"], ["a\0", "\x1b"]),
        ("max:3", ["", "abc", "äöü"], ["abcd"]),
        ("min:2", ["", "ab"], ["a"]),
        ("between:2,3", ["ab", "abc"], ["a", "abcd"]),
        ("integer", ["0", "-5", "+7", "", "007"], ["1.5", "x", "1 ", "٣", "1e5", "9" * 30]),
        ("numeric", ["0", "-1.5", ".5", "3."], ["x", "1e5", "nan", "inf", "1,5"]),
        ("integer|between:1,10", ["1", "10"], ["0", "11", "x"]),
        ("numeric|min:1.5", ["1.5", "2"], ["1.4"]),
        ("max:10|integer", ["9"], ["11"]),
        ("boolean", ["true", "false", "0", "1"], ["yes", "True"]),
        ("in:easy,hard", ["easy", "hard", ""], ["Easy", "easy,hard"]),
        ("required|in:,a", ["a"], ["", "b"]),
        ("alpha_dash", ["a-b_1", "é"], ["a b", "a.b"]),
        (
            "url",
            ["http://a.b/c?d=1", "https://[::1]:80"],
            ["a.b", "ftp://a", "http://", "javascript:x", "http://[", "http://a b"],
        ),
        (r"regex:/^[a-z]+\.jar$/", ["a.jar", ""], ["A.jar", "a.jar2", "xajar"]),
        (r"regex:/^a|b\/c$/i|max:5", ["AX", "B/C"], ["c", "abcdef"]),
        (r"required|regex:/^(?!bad)/", ["good"], ["bad", ""]),
        ("regex:#^(a|b)$#|max:5", ["a", ""], ["c"]),
        ("not_regex:/^a/", ["b", ""], ["ab"]),
        ("int|gt:0", ["1"], ["0", "x"]),
        ("numeric|gte:1|lt:5", ["1", "4.9"], ["0.9", "5"]),
        ("string|size:3", ["abc"], ["ab"]),
        ("integer|size:3", ["3"], ["4"]),
        ("digits:3", ["012"], ["12", "1a2", "-12"]),
        ("digits_between:1,3", ["1", "999"], ["1000", "a"]),
        ("min_digits:2|max_digits:3", ["10"], ["1", "1000"]),
        ("decimal:1,2", ["1.5", "1.25"], ["1", "1.555"]),
        ("multiple_of:0.5", ["1.5", "2"], ["1.2", "x"]),
        ('in:"a,b",c', ["a,b", "c"], ["a"]),
        ("not_in:a,b", ["c", ""], ["a"]),
        ("starts_with:a,b", ["ax"], ["cx"]),
        ("ends_with:==", ["x=="], ["x="]),
        ("doesnt_start_with:a|doesnt_end_with:z", ["b"], ["ab", "bz"]),
        ("alpha", ["é"], ["a1"]),
        ("alpha:ascii", ["a"], ["é"]),
        ("alphaNum", ["a1"], ["a-1"]),
        ("lowercase", ["a1"], ["A"]),
        ("uppercase", ["A1"], ["a"]),
        ("ascii", ["a~"], ["é"]),
        ("email:rfc,dns", ["a@b.c"], ["a", "a@", "a b@c"]),
        ("ip", ["1.2.3.4", "::1"], ["1.2.3", "x"]),
        ("ipv4", ["1.2.3.4"], ["::1", "01.2.3.4"]),
        ("ipv6", ["::1"], ["1.2.3.4", "fe80::1%eth0"]),
        ("mac_address", ["00:1a:2b:3c:4d:5e", "00-1a-2b-3c-4d-5e"], ["00:1a", "00:1a-2b:3c:4d:5e"]),
        ("uuid", ["8d2ddc36-5a5e-4ab1-8fb2-1b7c5bb1a7d4"], ["8d2ddc365a5e4ab18fb21b7c5bb1a7d4", "x"]),
        ("json", ['{"a": 1}'], ["{", "[" * 100_0]),
        ("date", ["2026-01-31"], ["31.1.2026x"]),
        ("date_format:Y-m-d", ["2026-01-31"], ["2026-1-31", "31.01.2026", "2026-02-30", "2026-01-31 1"]),
        ("date_format:H:i,g:i a", ["07:05", "7:05 am"], ["7:05", "25:00"]),
        (r"date_format:j.n.y \a\t G\h", ["1.2.26 at 7h"], ["01.2.26 at 7h", "1.2.26 am 7h"]),
        ("ulid", ["01ARZ3NDEKTSV4RRFFQ69G5FAV"], ["01ARZ3NDEKTSV4RRFFQ69G5FA", "8" * 26]),
        ("timezone", ["Europe/Berlin", "UTC"], ["Mars/Base"]),
        ("hex_color", ["#fff", "#ff8800"], ["fff", "#ff"]),
        ("accepted", ["yes", "1"], ["no", ""]),
        ("filled|present|sometimes|bail", ["x"], [""]),
        ("prohibited", [""], ["x"]),
    ],
)
def test_values(rules: str, good: list[str], bad: list[str]) -> None:
    parsed = parse_rules(rules)
    assert {value: parsed.problem(value) for value in good} == dict.fromkeys(good)
    assert [value for value in bad if parsed.problem(value) is None] == []


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (
            "required|nonsense",
            "'nonsense' is not known; the known rules are accepted, active_url, after, after_or_equal, alpha",
        ),
        ("required:1", "takes no argument"),
        ("max", "needs a number"),
        ("max:", "needs a number"),
        ("max:x", "needs a number"),
        ("min:1,2", "needs a number"),
        ("between:1", "needs two numbers"),
        ("between:5,1", "can never hold"),
        ("in:", "needs its values"),
        ("regex:abc", "has to be written"),
        ("regex:/abc", "has to be written"),
        ("regex:/a/q", "has to be written"),
        ("regex:/(/", "is broken"),
        ("digits:x", "a number of digits"),
        ("decimal:", "decimal places"),
        ("multiple_of:0", "other than 0"),
        ("starts_with:", "needs a text"),
        ("date_format:", "needs a format"),
        ("date_format:Y-q", "needs a format"),
        ("date_format:Y%m", "needs a format"),
        ("after:", "needs a date"),
        ("before:31.1.2026", "needs a date"),
        ("same:", "the name of a variable"),
        ("required_if:A", "its values"),
        ("required_with:", "the name of a variable"),
        ("gt:", "a number, or the name"),
        ("exists:users,id", "is not known"),
        ("regex://", "needs 1 to"),
        ("regex:/" + "a" * 5000 + "/", "needs 1 to"),
        ("regex:/(?R)/", "calls itself"),
        ("regex:/(?:(?:a{1000}){1000}){1000}/", "repeats repetitions"),
        ("regex:/" + "(" * 250 + ")" * 250 + "/", None),
        ("x" * 20_000, "at most"),
    ],
)
def test_broken_rules_are_refused(rules: str, words: str | None) -> None:
    if words is None:
        parse_rules(rules)
        return
    with pytest.raises(Invalid, match=words):
        parse_rules(rules)


@pytest.mark.parametrize("pattern", [r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(x+x+)+y", r"(?:a?){30}a{30}b", r"(.*a){40}z"])
def test_a_catastrophic_pattern_does_not_hang(pattern: str) -> None:
    rules = parse_rules(f"regex:/{pattern}/")
    assert rules.problem("a" * 2000 + "x" * 2000) is not None


@pytest.mark.parametrize(
    ("rules", "value", "others", "allowed"),
    [
        ("same:B", "x", {"B": "x"}, True),
        ("same:B", "x", {"B": "y"}, False),
        ("different:B", "x", {"B": "x"}, False),
        ("gt:B", "10", {"B": "9"}, True),
        ("gt:B", "9", {"B": "10"}, False),
        ("lte:B", "abc", {"B": "ab"}, False),
        ("required_if:B,1,2", "", {"B": "2"}, False),
        ("required_if:B,1,2", "", {"B": "3"}, True),
        ("required_unless:B,1", "", {"B": "1"}, True),
        ("required_unless:B,1", "", {"B": "0"}, False),
        ("required_with:B,C", "", {"B": "", "C": "x"}, False),
        ("required_with_all:B,C", "", {"B": "", "C": "x"}, True),
        ("required_without:B,C", "", {"B": "x"}, False),
        ("required_without_all:B,C", "", {"B": "x"}, True),
        ("prohibited_if:B,1", "x", {"B": "1"}, False),
        ("prohibited_unless:B,1", "x", {"B": "1"}, True),
        ("after:2026-01-31", "2026-02-01", {}, True),
        ("after:2026-01-31", "2026-01-31", {}, False),
        ("after_or_equal:2026-01-31", "2026-01-31", {}, True),
        ("before:tomorrow", "2026-01-31", {}, True),
        ("before:yesterday", "9999-01-01", {}, False),
        ("before_or_equal:now", "2026-01-31T10:00:00+01:00", {}, True),
        ("date_equals:B", "2026-01-31", {"B": "2026-01-31T00:00:00Z"}, True),
        ("before:B", "2026-01-31", {"B": "2026-01-30"}, False),
        ("before:B", "2026-01-31", {"B": ""}, True),
        ("before:B", "", {"B": "2026-01-30"}, True),
        ("before:B", "soon", {"B": ""}, False),
    ],
)
def test_rules_that_look_at_other_variables(rules: str, value: str, others: dict[str, str], *, allowed: bool) -> None:
    parsed = parse_rules(rules)
    assert (parsed.problem(value, others) is None) is allowed
    assert parsed.problem(value) is None


def test_too_many_expressions_are_refused() -> None:
    parse_rules("|".join(["regex:/a/"] * MAX_EXPRESSIONS))
    with pytest.raises(Invalid, match="regular expressions"):
        parse_rules("|".join(["not_regex:/a/"] * (MAX_EXPRESSIONS + 1)))


def test_expressions_do_not_stay_in_memory() -> None:
    script = (
        "import psutil; from stellar.plugins.blueprints.rules import parse_rules as p\n"
        "for n in range(500): p(f'regex:/(?:{n:03}){{1900}}/')\n"
        "print(psutil.Process().memory_info().rss >> 20)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100


def test_problems_say_what_is_allowed() -> None:
    assert parse_rules("max:3").problem("abcd") == "must have at most 3 characters"
    assert parse_rules("integer|between:1,5").problem("9") == "must be between 1 and 5"
    assert parse_rules("in:a,b").problem("c") == "must be one of a, b"
    assert parse_rules("required").problem("") == "is required"
