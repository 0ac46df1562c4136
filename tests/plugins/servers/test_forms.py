"""Rules of variables in words."""

from __future__ import annotations

import pytest

from stellar.plugins.blueprints.structs import Variable
from stellar.plugins.servers.forms import field_of


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ("required|integer|between:1,500", "A whole number from 1 to 500."),
        ("numeric|min:2", "A number at least 2."),
        ("string|max:20", "At most 20 characters."),
        ("string|between:6,64", "From 6 to 64 characters."),
        ("regex:/^(a|max:9)$/|max:20", "At most 20 characters. Has to match /^(a|max:9)$/."),
        ("url", "A web address."),
        ("string", ""),
    ],
    ids=["between", "min", "max", "length", "regex", "url", "nothing"],
)
def test_rules_read_as_sentences(rules: str, text: str) -> None:
    assert field_of(Variable(env="X", label="X", rules=rules)).rules_text == text


@pytest.mark.parametrize(
    ("rules", "default", "options"),
    [
        ("required|in:easy,hard", "easy", ["easy", "hard"]),
        ('required|in:a,"b,c"', "a", ["a", "b,c"]),
        ("nullable|in:a,b", "", ["", "a", "b"]),
        ("required|boolean", "true", ["true", "false"]),
        ("required|boolean", "0", ["1", "0"]),
        ("regex:/^(x|in:a)$/", "", []),
    ],
)
def test_choices(rules: str, default: str, options: list[str]) -> None:
    assert field_of(Variable(env="X", label="X", rules=rules, default=default)).options == options


def test_a_description_is_a_sentence() -> None:
    said = {text: field_of(Variable(env="X", label="X", description=text)).description for text in ("", "One", "Two!")}
    assert said == {"": "", "One": "One.", "Two!": "Two!"}
