"""Rules of variables."""

from __future__ import annotations

import pytest

from stellar.errors import Invalid
from stellar.plugins.blueprints.rules import parse_rules


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
    ],
)
def test_values(rules: str, good: list[str], bad: list[str]) -> None:
    parsed = parse_rules(rules)
    assert {value: parsed.problem(value) for value in good} == dict.fromkeys(good)
    assert [value for value in bad if parsed.problem(value) is None] == []


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("required|nonsense", "'nonsense' is not known; the known rules are accepted, active_url, alpha, alpha_dash"),
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


def test_problems_say_what_is_allowed() -> None:
    assert parse_rules("max:3").problem("abcd") == "must have at most 3 characters"
    assert parse_rules("integer|between:1,5").problem("9") == "must be between 1 and 5"
    assert parse_rules("in:a,b").problem("c") == "must be one of a, b"
    assert parse_rules("required").problem("") == "is required"
