"""Placeholders become references that no shell reads as code."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellar.errors import Invalid
from stellar.plugins.blueprints.render import environment, placeholders, render_startup
from stellar.plugins.servers.spec import Limits, Port

NO_LIMITS = Limits()
NASTY = [
    "",
    " ",
    "$(touch bad)",
    "`touch bad`",
    "; touch bad",
    "a  b",
    "*",
    "~",
    "'",
    '"',
    "\\",
    "-n",
    "\n",
    "${A}",
    "{{B}}",
]
values = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=40),
    st.text("$`'\"\\;&|<>(){}*?~#! \n\ta", max_size=40),
)

TEMPLATES = {
    "{{A}} {{B}}": "{A}\0{B}\0",
    '"{{A}}" "{{B}}"': "{A}\0{B}\0",
    "'{{A}}' '{{B}}'": "{A}\0{B}\0",
    "--a={{A}}/x{{B}}y": "--a={A}/x{B}y\0",
    "\"a '{{A}}' b\" 'a \"{{B}}\" b'": "a '{A}' b\0a \"{B}\" b\0",
    '"\\"{{A}}\\"" x\\ {{B}}': '"{A}"\0x {B}\0',
    "{{{A}}} '{{{B}}}'": "{{{A}}}\0{{{B}}}\0",
    "{{ A }}{{B}}{{A}}": "{A}{B}{A}\0",
    '"$(printf %s. "{{A}}")" {{B}}': "{A}.\0{B}\0",
    "\"$(printf '%s.' '{{A}}')\" $(printf x; (printf y)) {{B}}": "{A}.\0xy\0{B}\0",
    '$((1 + (2 * 3)))\'{{A}}\'"${UNSET:-"z"}{{B}}"': "7{A}z{B}\0",
    "{{A}}#{{B}}": "{A}#{B}\0",
}


def run(template: str, values: dict[str, str], cwd: Path) -> str:
    line = render_startup(f"printf '%s\\0' {template}", values)
    done = subprocess.run(["/bin/sh", "-c", line], env=values, cwd=cwd, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout.decode()


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty")


@pytest.mark.parametrize("template", TEMPLATES)
@settings(max_examples=25, deadline=None)
@given(a=values, b=values)
def test_every_value_reaches_the_program_as_it_is(template: str, a: str, b: str, empty: Path) -> None:
    assert run(template, {"A": a, "B": b}, empty) == TEMPLATES[template].format(A=a, B=b)
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize("value", NASTY)
def test_nasty_values(value: str, tmp_path: Path) -> None:
    for template, expected in TEMPLATES.items():
        assert run(template, {"A": value, "B": value}, tmp_path) == expected.format(A=value, B=value)
    assert list(tmp_path.iterdir()) == []


@st.composite
def templates(draw: st.DrawFn) -> str:
    """Shell fragments around placeholders, nested and glued at random."""
    inner = st.lists(st.sampled_from(["{{A}}", " ", "x", "$A", "|", "\\;", "#", "{", "}", "=", "*"]), max_size=4).map(
        "".join
    )
    wraps = st.sampled_from(["'%s'", '"%s"', "$(%s)", "(%s)", "${X:-%s}", "$((%s))", '"$(%s)"', "x%s", "%s y"])
    text = "".join(draw(st.lists(inner, min_size=1, max_size=3)))
    for wrap in draw(st.lists(wraps, max_size=4)):
        text = wrap.replace("%s", text) + draw(inner)
    return text


@settings(max_examples=60, deadline=None)
@given(template=templates())
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_whatever_the_template_a_value_is_never_run(template: str, shell: str, empty: Path) -> None:
    (empty / "bad").unlink(missing_ok=True)
    try:
        line = render_startup(template, {"A"})
    except Invalid:
        return
    for value in ("$(>bad)", ";>bad;", "\n>bad\n", "'$(>bad)'", '"`>bad`"', "a[$(>bad)]", "')>bad;'", '")>bad;"'):
        options = {"env": {"A": value}, "cwd": empty, "stdin": subprocess.DEVNULL}
        done = subprocess.run([shell, "-c", line], capture_output=True, timeout=10, check=False, **options)
        assert not (empty / "bad").exists(), (line, done)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("run {{NOPE}}", "NOPE}} is not known; the known names are A, SERVER_MEMORY"),
        ("run {{a-b}}", "is not a placeholder"),
        ("run {{A", "is not a placeholder"),
        ("run ${{A}}", r"A \$ can't stand before a placeholder"),
        ("run \\{{A}}", r"A \\ can't stand before a placeholder"),
        ("run ${X:-{{A}}}", "can't stand inside"),
        ("run $(({{A}}+1))", "can't stand inside"),
        ("run $(( ({{A}}) + 1))", "can't stand inside"),
        ('run $(( "{{A}}" ))', "only numbers, operators and SERVER_CPU"),
        ("run $(( $(echo {{A}}) ))", "only numbers"),
        ("run $(( $A ))", "only numbers"),
        ("run $(( A ))", "only numbers"),
        ("run $(( ( [ ) ))", "only numbers"),
        ("run `echo {{A}}`", "Backquotes"),
        ("run $'{{A}}'", "shells don't agree"),
        ("cat << X", "here-document"),
        ("run # {{A}}", "comment"),
        ("(( 1 ))", "can't be used"),
        ("run 'a", "never closed"),
        ('run "a', "never closed"),
        ("run $(a", "never closed"),
        ("run )", "without a"),
    ],
)
def test_what_could_not_be_made_safe_is_refused(template: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        render_startup(template, {"A", "SERVER_MEMORY"})


def test_numbers_of_the_panel_may_be_calculated_with(tmp_path: Path) -> None:
    line = "echo -Xmx$(( ({{SERVER_MEMORY}} - 128) * 3 / 4 ))M"
    values = environment({}, [], Limits(memory_mb=1024))
    done = subprocess.run(["/bin/sh", "-c", render_startup(line, values)], env=values, capture_output=True, check=True)
    assert done.stdout == b"-Xmx672M\n"


def test_placeholders() -> None:
    assert placeholders("{{A}} {{ B }} {C} {{A}}") == {"A", "B"}


def test_a_name_with_small_letters_is_there_in_capitals_too() -> None:
    given = {"token": "1", "Mixed": "2", "MIXED": "3", "path": "4", "server_port": "5"}
    values = environment(given, [Port(ip="10.0.0.1", port=1000)], NO_LIMITS)
    assert values.items() >= {**given, "TOKEN": "1"}.items()
    assert values["SERVER_PORT"] == "1000" and "PATH" not in values


def test_environment() -> None:
    ports = [Port(ip="10.0.0.1", port=1000), Port(ip="10.0.0.1", port=1001, name="steam-query")]
    limits = Limits(memory_mb=1, cpu_percent=2, disk_mb=3)
    assert environment({"X": "1"}, ports, limits, "some-id", location="Berlin", allocation_limit=5) == {
        "X": "1",
        "SERVER_MEMORY": "1",
        "SERVER_CPU": "2",
        "SERVER_DISK": "3",
        "SERVER_IP": "10.0.0.1",
        "SERVER_PORT": "1000",
        "SERVER_PORT_STEAM_QUERY": "1001",
        "P_SERVER_UUID": "some-id",
        "P_SERVER_LOCATION": "Berlin",
        "P_SERVER_ALLOCATION_LIMIT": "5",
        "STELLAR_NODE_IP": "127.0.0.1",
    }


@pytest.mark.parametrize(
    "name",
    [
        "SERVER_MEMORY",
        "SERVER_PORT_X",
        "P_SERVER_UUID",
        "P_SERVER_LOCATION",
        "PATH",
        "LD_PRELOAD",
        "BASH_ENV",
        "IFS",
        "STELLAR_NODE_IP",
        "a" * 200,
        "A B",
        "A=B",
        "",
        "1A",
        "A\n",
    ],
)
def test_environment_refuses_names(name: str) -> None:
    with pytest.raises(Invalid):
        environment({name: "x"}, [], NO_LIMITS)


@pytest.mark.parametrize("value", ["a\0b", "\ud800", "x" * 20_000])
def test_environment_refuses_values(value: str) -> None:
    with pytest.raises(Invalid) as caught:
        environment({"A": value}, [], NO_LIMITS)
    assert "A" in caught.value.fields
