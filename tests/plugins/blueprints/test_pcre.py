"""PHP's regular expressions in ours."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellar.errors import Invalid
from stellar.plugins.blueprints.pcre import compile_pcre


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"/^([\w\d._-]+)(\.jar)$/", ["server.jar", "a-1.jar\n"], ["server.jarx", "ä.jar"]),
        (r"/^(?:true)?(?:false)?\b/", ["true", "false"], []),
        ("#^a|b$#i", ["Ax", "xB"], ["xa"]),
        ("~^[[:alnum:]]+$~", ["abc1"], ["a-"]),
        ("{^a{2}$}", ["aa"], ["a"]),
        ("(^(a|b)$)", ["a", "b"], ["c"]),
        ("<^a$>", ["a"], ["b"]),
        (r"/^[^\]]+$/", ["a"], ["a]"]),
        ("/^[]a]+$/", ["a]"], ["b"]),
        (r"/^\h+\R\H$/", [" \t\r\nx"], ["xx"]),
        (r"/^(?<n>a)\k<n>\g{-1}(?P=n)$/", ["aaaa"], ["aaa"]),
        (r"/^(a)\1$/", ["aa"], ["ab"]),
        ("/^a++b$/", ["aab"], ["aa"]),
        ("/^(?>a|ab)c/", ["ac"], ["abc"]),
        (r"/^\p{Lu}\pL+$/u", ["Äb"], ["äb"]),
        (r"/^\x41\x{42}\o{103}$/", ["ABC"], ["abc"]),
        (r"/^\Qa.b\E$/", ["a.b"], ["axb"]),
        (r"/^\d+\z/", ["12"], ["12\n"]),
        (r"/^\d+$/", ["12", "12\n"], ["1a"]),
        (r"/^\d+$/D", ["12"], ["12\n"]),
        ("/b/A", ["ba"], ["ab"]),
        ("/a.c/s", ["a\nc"], ["ac"]),
        ("/^b$/m", ["a\nb"], ["ab"]),
        ("/a b # c/x", ["ab"], ["a b"]),
        ("/a.*?b/U", ["axb"], ["ax"]),
        ("/(?i)abc(?-i)D/", ["ABCD"], ["ABCd"]),
        ("/(?i:a)b/", ["Ab"], ["AB"]),
        (r"/^[\w-.]+$/", ["a-."], ["a b"]),
        (r"/^[a-z\d-]+$/", ["a-1"], ["A"]),
        ("/^{a}$/", ["{a}"], ["a"]),
        ("/^a{,2}$/", ["a{,2}"], ["aa"]),
        ("/^[a&&b||c~~d-]+$/", ["a&|-d~"], ["e"]),
        (r"/^(?:\w+)$/u", ["ä"], [" "]),
        (r"/^[\/\\]+$/", ["/\\"], ["x"]),
        ("/^(?!bad)/", ["good"], ["bad"]),
        ("/(?<=a)b(?<!c)/", ["ab"], ["cb"]),
        ("/(a)?(?(1)b|c)/", ["ab", "c"], ["b"]),
        ("/a(?#comment)b/", ["ab"], ["a"]),
        ("/^[[:^digit:]]+$/", ["ab"], ["a1"]),
        (r"/^\d{1,3}(?:\.\d{1,3}){3}$/", ["1.2.3.4"], ["1.2.3"]),
    ],
)
def test_it_means_the_same(pattern: str, good: list[str], bad: list[str]) -> None:
    expression = compile_pcre(pattern)
    assert [value for value in good if not expression.search(value)] == []
    assert [value for value in bad if expression.search(value)] == []


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "has to be written"),
        ("abc", "has to be written"),
        ("/abc", "no / at the end"),
        ("/a/e", "no flag 'e'"),
        ("/(?R)/", "calls itself"),
        ("/(a)(?1)/", "calls itself"),
        ("/(?<n>a)(?&n)/", "calls itself"),
        (r"/(a)\g<n>/", r"has \\g"),
        ("/(*SKIP)a/", "a verb"),
        ("/(?C)a/", "inline flag C"),
        (r"/\y/", r"has \\y"),
        (r"/[\y]/", "between"),
        ("/[z-a]/", "is broken"),
        ("/[abc/", "never closed"),
        ("/(/", "is broken"),
        ("/(?:(?:a{1000}){1000}){1000}/", "repeats repetitions"),
        ("/" + "a" * 5000 + "/", "needs 1 to"),
    ],
)
def test_what_has_no_equal_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        compile_pcre(pattern)


@settings(max_examples=100, deadline=None)
@given(st.text(r"ab\[](){}?*+|^$.-:<>=!Pkg1,xQEdwhRpLiu#& ", max_size=30))
def test_any_pattern_is_compiled_or_refused(pattern: str) -> None:
    for flags in ("", "x", "iu"):
        try:
            expression = compile_pcre(f"~{pattern}~{flags}")
        except Invalid:
            continue
        try:
            expression.search("ab" * 20)
        except TimeoutError:
            continue
